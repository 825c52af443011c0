//! The report for a person.

use crate::adapters::{Adapter, Segment};
use crate::loader::Loader;
use crate::node::{Node, State};
use crate::report::Report;
use crate::system::{Facts, Wsl};
use std::fmt::Write as _;

/// Bytes for a person.
fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut value = n as f64;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{n} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// Lines under headings; writing to a string does not fail.
#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, text: &str) {
        let _ = writeln!(self.0, "{}{text}", if self.0.is_empty() { "" } else { "\n" });
    }

    fn row(&mut self, name: &str, text: impl std::fmt::Display) {
        let _ = writeln!(self.0, "  {name:<14} {text}");
    }
}

/// The whole text.
pub fn render(report: &Report) -> String {
    let mut page = Page::default();
    page.head(&format!("vulkan-dxg {}", report.version));
    page.row("in short", short(report));
    system(&mut page, &report.system);
    match &report.node {
        Some(n) => node(&mut page, n),
        None => {
            page.head("Kernel node");
            page.row("", "not looked at: the embedded device was asked for");
        }
    }
    for a in &report.adapters {
        adapter(&mut page, a);
    }
    if let Some(l) = &report.loader {
        loader(&mut page, l);
    }
    if !report.hints.is_empty() {
        page.head("What to do");
        for hint in &report.hints {
            page.row("*", hint);
        }
    }
    page.0
}

fn short(report: &Report) -> String {
    let used = report.adapters.iter().find(|a| a.driven_by.is_some());
    let name = used.and_then(|a| a.name.as_deref()).unwrap_or("an adapter without a name");
    match report.device {
        "kernel" => format!("programs get \"{name}\" through {}", report.node.as_ref().map_or("", |n| &n.path)),
        "model" => format!(
            "programs get \"{name}\": a device embedded in the driver, not the GPU of the host; it computes on this machine's processors"
        ),
        _ => "there is no GPU for this driver to use".to_owned(),
    }
}

fn system(page: &mut Page, facts: &Facts) {
    page.head("System");
    page.row("kernel", &facts.kernel);
    page.row(
        "WSL",
        match facts.wsl {
            None => "no",
            Some(Wsl::Wsl1) => "version 1 (which has no GPU)",
            Some(Wsl::Wsl2) => "version 2",
        },
    );
    page.row("container", facts.container.as_deref().unwrap_or("no"));
    let groups: Vec<String> = facts.groups.iter().map(u32::to_string).collect();
    page.row("user", format!("{} in groups {}", facts.user, groups.join(" ")));
    if facts.wsl.is_some() {
        let there = |is| if is { "there" } else { "not there" };
        page.row(
            "host folders",
            format!(
                "/usr/lib/wsl/lib {}, /usr/lib/wsl/drivers {}",
                there(facts.wsl_libraries),
                there(facts.wsl_drivers)
            ),
        );
    }
}

fn node(page: &mut Page, node: &Node) {
    page.head(&format!("Kernel node {}", node.path));
    page.row(
        "state",
        match (node.state, &node.error) {
            (State::Open, _) => "open".to_owned(),
            (State::NotDxg, _) => "opens, but is something else".to_owned(),
            (_, Some((name, text))) => format!("cannot be opened: {text} [{name}]"),
            (_, None) => "cannot be opened".to_owned(),
        },
    );
    if let Some(f) = &node.file {
        let name = |n: &Option<String>, id: u32| n.clone().unwrap_or_else(|| id.to_string());
        let kind = if f.is_device { "" } else { ", not a device" };
        let (owner, group) = (name(&f.owner_name, f.owner), name(&f.group_name, f.group));
        page.row("permissions", format!("{} {owner}:{group}{kind}", f.mode));
    }
    if let Some(t) = &node.table {
        page.row("requests", format!("up to {:#04x} of {:#04x}", t.highest, t.newest));
        if !t.missing.is_empty() {
            page.row("missing", t.missing.join(" "));
        }
    }
}

fn segment(s: &Segment) -> Option<String> {
    if s.size.is_none() && s.budget.is_none() {
        return None;
    }
    let mut parts = Vec::new();
    let mut add = |value: Option<u64>, text: &str| parts.extend(value.map(|v| format!("{} {text}", bytes(v))));
    add(s.size, "in all");
    add(s.budget, "budget");
    add(s.usage, "in use");
    Some(parts.join(", "))
}

fn adapter(page: &mut Page, a: &Adapter) {
    let of = if a.node == "model" { "of the embedded device" } else { "of the kernel's node" };
    page.head(&format!("Adapter {} {of}", a.luid));
    page.row("name", a.name.as_deref().unwrap_or("not told"));
    page.row(
        "driven by",
        match (a.driven_by, &a.reason) {
            (Some(driver), _) => driver.to_owned(),
            (None, reason) => format!("nothing: {}", reason.as_deref().unwrap_or("unknown")),
        },
    );
    for r in &a.refusals {
        page.row("", format!("{}: {}", r.driver, r.reason));
    }
    if let Some(p) = &a.pci {
        let vendor = p.vendor_name.map_or_else(String::new, |n| format!(" ({n})"));
        page.row(
            "PCI",
            format!(
                "{:04x}:{:04x}{vendor}, subsystem {:04x}:{:04x}, revision {:02x}",
                p.vendor, p.device, p.subsystem_vendor, p.subsystem, p.revision
            ),
        );
    }
    if let Some([bus, device, function]) = a.address {
        page.row("address", format!("{bus:02x}:{device:02x}.{function}"));
    }
    if let Some(v) = a.wddm {
        let queues = if a.hardware_scheduling { "hardware queues" } else { "no hardware queues" };
        page.row("WDDM", format!("{}.{}, {queues}", v / 1000, v % 1000 / 100));
    }
    if !a.kinds.is_empty() {
        page.row("is", a.kinds.join(" ").to_lowercase().replace('_', "-"));
    }
    if let Some(guid) = &a.guid {
        page.row("GUID", guid);
    }
    let engines: Vec<String> = a.engines.iter().map(|e| format!("{} ({})", e.kind, e.name)).collect();
    if !engines.is_empty() {
        page.row("engines", engines.join(", "));
    }
    if let Some(bits) = a.address_bits {
        page.row("addresses", format!("{bits} bits"));
    }
    if let Some(text) = segment(&a.local) {
        page.row("local memory", text);
    }
    if let Some(text) = segment(&a.non_local) {
        page.row("non-local", text);
    }
    if let Some(store) = &a.driver_store {
        page.row("driver store", &store.host);
        match &store.guest {
            Some(guest) => page.row("", format!("{guest}{}", if store.present { "" } else { " (not there)" })),
            None => page.row("", "not in the driver store, so the guest does not see it"),
        }
    }
}

fn loader(page: &mut Page, loader: &Loader) {
    page.head("Vulkan loader");
    page.row("version", loader.answer.version.as_deref().unwrap_or("no loader"));
    for (name, value) in &loader.environment {
        page.row("variable", format!("{name}={value}"));
    }
    for path in &loader.search {
        page.row("looks in", path);
    }
    if loader.manifests.is_empty() {
        page.row("drivers", "none");
    }
    for m in &loader.manifests {
        let ours = if m.ours { " (this driver)" } else { "" };
        let problem = m.problem.as_ref().map_or_else(String::new, |p| format!(": not used, {p}"));
        page.row("driver", format!("{}{ours}{problem}", m.path));
    }
    for d in &loader.answer.devices {
        let ours = if d.ours { " (this driver)" } else { "" };
        let driver = d.driver.as_deref().unwrap_or("unknown driver");
        page.row("device", format!("{}, {driver}, {}, Vulkan {}{ours}", d.name, d.kind, d.api_version));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(24 << 30), "24.0 GiB");
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
    }
}
