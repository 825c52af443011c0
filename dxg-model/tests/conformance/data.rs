//! The behaviour file: one row for each ioctl.

use dxg_abi::Ioctl;
use serde_json::Value;

/// What the file says about one ioctl.
pub struct Behaviour {
    pub ioctl: Ioctl,
    /// `None` if every field comes back; else the fields that do.
    pub copy_back: Option<Vec<String>>,
    /// What is written through pointers, by the name in front of any remark.
    pub through_pointers: Vec<String>,
    pub checks: Vec<String>,
    pub pending: bool,
    pub fire_and_forget: bool,
    /// Whether the host's reply has a status; on newer hosts only, if `None`.
    pub status: Option<bool>,
    pub creates: Option<String>,
}

fn text(v: &Value) -> String {
    v.as_str().expect("a string").to_owned()
}

/// `a.b[] (remark)` without the remark.
fn bare(v: &Value) -> String {
    text(v).split(' ').next().unwrap_or_default().to_owned()
}

fn list(v: &Value, f: impl Fn(&Value) -> String) -> Vec<String> {
    v.as_array().expect("a list").iter().map(f).collect()
}

/// All rows.
pub fn rows() -> Vec<Behaviour> {
    let file: Value = serde_json::from_str(include_str!("../data/dxg-behaviour.json")).expect("JSON");
    let rows = file["ioctls"].as_array().expect("rows");
    rows.iter()
        .map(|row| {
            let nr = row["nr"].as_u64().expect("nr") as u8;
            Behaviour {
                ioctl: *Ioctl::ALL.iter().find(|i| i.nr() == nr).expect("a known number"),
                copy_back: match row["copy_back"].as_str() {
                    Some("all") => None,
                    Some("none") => Some(Vec::new()),
                    Some(other) => panic!("copy_back {other}"),
                    None => Some(list(&row["copy_back"], bare)),
                },
                through_pointers: list(&row["writes_through_pointers"], bare),
                checks: list(&row["checks_in_order"], text),
                pending: row["pending_possible"] == true,
                fire_and_forget: row["fire_and_forget_when_async"] == true,
                status: row["host_ntstatus"].as_bool(),
                creates: row["creates"].as_str().map(str::to_owned),
            }
        })
        .collect()
}
