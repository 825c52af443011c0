//! The runner for the conformance tests against a stand-in for `deqp-vk`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A script that takes `deqp-vk`'s arguments and behaves as the cases' names say.
const FAKE: &str = r##"#!/bin/sh
test -f data.txt || exit 9
for a in "$@"; do
    case $a in
    --deqp-caselist-file=*) list=${a#*=} ;;
    --deqp-log-filename=*) log=${a#*=} ;;
    --die-at-start) exit 42 ;;
    --deqp-case=*) printf 'GROUP: dEQP-VK.g\nTEST: dEQP-VK.g.one\nTEST: dEQP-VK.g.lacks\n'; exit 0 ;;
    esac
done
echo "#beginSession" > "$log"
while read -r name; do
    case $name in *unknown*) continue ;; esac
    echo "#beginTestCaseResult $name" >> "$log"
    case $name in
    *crash*) kill -SEGV $$ ;;
    *hang*) exec sleep 1000 ;;
    *lost*) echo " <Result StatusCode=\"DeviceLost\">gone</Result>" >> "$log"; echo "#endTestCaseResult" >> "$log"; exit 1 ;;
    *fail*) status=Fail; code=1 ;;
    *lacks*) status=NotSupported ;;
    *) status=Pass ;;
    esac
    echo " <Result StatusCode=\"$status\">said of $name</Result>" >> "$log"
    echo "#endTestCaseResult" >> "$log"
    echo "$name" >> ran.txt
done < "$list"
echo "#endSession" >> "$log"
exit ${code:-0}
"##;

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    /// With the script, its data file and a list.
    fn new(name: &str, cases: &[&str]) -> Folder {
        let path = std::env::temp_dir().join(format!("cts-runner-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("build")).expect("folder");
        let f = Folder(path);
        f.put("build/deqp-vk", FAKE);
        f.put("build/data.txt", "");
        let names: Vec<_> = cases.iter().map(|c| format!("dEQP-VK.{c}")).collect();
        f.put("list.txt", &(names.join("\n") + "\n"));
        let chmod = Command::new("chmod").arg("+x").arg(f.0.join("build/deqp-vk")).status();
        assert!(chmod.is_ok_and(|s| s.success()));
        f
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).expect("write");
    }

    fn get(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }

    /// The results without their messages.
    fn results(&self) -> String {
        self.get("out/results.txt").lines().map(|l| l.split("  #").next().unwrap_or(l).to_owned() + "\n").collect()
    }

    fn run(&self, more: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_cts_run"))
            .current_dir(&self.0)
            .args(["--deqp", "build/deqp-vk", "--list", "list.txt", "--out", "out", "--jobs", "3", "--timeout", "0.5"])
            .args(more)
            .output()
            .expect("start")
    }
}

fn text(o: &Output) -> String {
    String::from_utf8_lossy(&o.stdout).into_owned() + &String::from_utf8_lossy(&o.stderr)
}

const CASES: [&str; 12] = [
    "a.x.one",
    "a.x.crash",
    "a.x.two",
    "a.y.hang",
    "a.y.three",
    "a.y.fail",
    "b.z.lacks",
    "b.z.unknown",
    "b.z.lost",
    "b.z.four",
    "b.z.crash_too",
    "b.z.five",
];

const RESULTS: &str = "dEQP-VK.a.x.one Pass\ndEQP-VK.a.x.crash Crash\ndEQP-VK.a.x.two Pass\ndEQP-VK.a.y.hang Timeout\n\
    dEQP-VK.a.y.three Pass\ndEQP-VK.a.y.fail Fail\ndEQP-VK.b.z.lacks NotSupported\ndEQP-VK.b.z.unknown NotFound\n\
    dEQP-VK.b.z.lost DeviceLost\ndEQP-VK.b.z.four Pass\ndEQP-VK.b.z.crash_too Crash\ndEQP-VK.b.z.five Pass\n";

#[test]
fn every_case_gets_its_own_result() {
    // In batches of every size, so that what is left over after a crash differs.
    for batch in ["1", "2", "5", "100"] {
        let f = Folder::new(&format!("all{batch}"), &CASES);
        let o = f.run(&["--batch", batch]);
        assert_eq!(f.results(), RESULTS, "batch {batch}: {}", text(&o));
        assert_eq!(o.status.code(), Some(1));
        assert!(text(&o).contains("dEQP-VK.a.y.fail: Fail said of dEQP-VK.a.y.fail"), "{}", text(&o));
        assert!(f.get("out/report.md").contains("| a.x | 3 | 2 | 0 | 0 | 0 | 1 | 0 |"), "{}", f.get("out/report.md"));
        assert!(f.get("out/report.html").contains("<td>a.y"));
        assert!(!f.0.join("out/running").exists(), "leftover files");
        // Nothing ran twice.
        let mut ran: Vec<_> = f.get("build/ran.txt").lines().map(str::to_owned).collect();
        let n = ran.len();
        ran.sort();
        ran.dedup();
        assert_eq!(ran.len(), n);
    }
}

#[test]
fn expectations_and_blessing() {
    let f = Folder::new("expect", &CASES);
    let o = f.run(&["--expect", "e.txt"]);
    assert_eq!(o.status.code(), Some(2), "a missing file is an error");
    let o = f.run(&["--expect", "e.txt", "--bless"]);
    assert_eq!(o.status.code(), Some(0), "{}", text(&o));
    let blessed = f.get("e.txt");
    assert_eq!(blessed.lines().count(), 6, "{blessed}");
    assert_eq!(f.run(&["--expect", "e.txt"]).status.code(), Some(0));
    // An unexpected pass is a difference, and so is an unexpected kind of failure.
    f.put("e.txt", &(blessed.replace("a.y.fail Fail", "a.y.fail Crash") + "dEQP-VK.a.x.one Fail  # no longer\n"));
    let o = f.run(&["--expect", "e.txt"]);
    assert_eq!(o.status.code(), Some(1));
    assert!(text(&o).contains("a.x.one: Pass, unexpected: should be Fail"), "{}", text(&o));
    assert!(text(&o).contains("a.y.fail: Fail, expected Crash"));
    assert!(text(&o).contains("2 differences"));
}

#[test]
fn resumes_where_it_was_cut_off() {
    let f = Folder::new("resume", &["a.x.one", "a.x.two", "a.x.three"]);
    std::fs::create_dir_all(f.0.join("out")).expect("folder");
    f.put("out/results.txt", "dEQP-VK.a.x.two Fail\ndEQP-VK.a.x.thr");
    let o = f.run(&["--resume"]);
    assert_eq!(f.results(), "dEQP-VK.a.x.one Pass\ndEQP-VK.a.x.two Fail\ndEQP-VK.a.x.three Pass\n", "{}", text(&o));
    assert!(!f.get("build/ran.txt").contains("two"));
    // Without it everything runs.
    f.run(&[]);
    assert!(f.get("out/results.txt").contains("two Pass"));
}

#[test]
fn a_program_that_cannot_start_ends_all_the_same() {
    let f = Folder::new("dead", &["a.x.one", "a.x.two"]);
    let o = f.run(&["--", "--die-at-start"]);
    assert_eq!(f.results(), "dEQP-VK.a.x.one Crash\ndEQP-VK.a.x.two Crash\n", "{}", text(&o));
    std::fs::remove_file(f.0.join("build/deqp-vk")).expect("remove");
    assert_eq!(f.run(&[]).status.code(), Some(2));
    assert!(Path::new(env!("CARGO_BIN_EXE_cts_run")).exists());
}

#[test]
fn groups_come_from_the_program() {
    let f = Folder::new("groups", &["a.x.one"]);
    let o = f.run(&["--cases", "dEQP-VK.g.*"]);
    assert_eq!(f.results(), "dEQP-VK.a.x.one Pass\ndEQP-VK.g.one Pass\ndEQP-VK.g.lacks NotSupported\n", "{}", text(&o));
    assert!(f.get("out/report.md").contains("| 1 | said of dEQP-VK.g.lacks |"), "{}", f.get("out/report.md"));
    // Messages survive being taken up again.
    let o = f.run(&["--cases", "dEQP-VK.g.*", "--resume"]);
    assert!(
        f.get("out/results.txt").contains("dEQP-VK.g.lacks NotSupported  # said of dEQP-VK.g.lacks"),
        "{}",
        text(&o)
    );
}
