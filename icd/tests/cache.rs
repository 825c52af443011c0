//! Kernels on disk: written by one process, found by the next. One program that runs itself.

mod common;

use ash::vk;
use common::kernel::{shader, Kernel};
use common::World;
use std::path::Path;
use std::process::Command;

/// What a child does: makes a pipeline, compiling it if `may_compile`.
fn child(may_compile: bool) -> vk::Result {
    let w = World::new();
    let k = Kernel::new(&w, &shader(false), vk::DescriptorSetLayoutCreateFlags::empty());
    let flags = if may_compile {
        vk::PipelineCreateFlags::empty()
    } else {
        vk::PipelineCreateFlags::FAIL_ON_PIPELINE_COMPILE_REQUIRED
    };
    let result = match k.pipeline_with(&w, flags) {
        Ok(pipeline) => {
            // SAFETY: used no more.
            unsafe { w.device.destroy_pipeline(pipeline, None) };
            vk::Result::SUCCESS
        }
        Err(e) => e,
    };
    k.destroy(&w);
    result
}

fn run(folder: &Path, what: &str, disable: bool) -> bool {
    Command::new(std::env::current_exe().expect("own path"))
        .arg(what)
        .env("MESA_SHADER_CACHE_DIR", folder)
        .env("MESA_SHADER_CACHE_DISABLE", if disable { "true" } else { "false" })
        .env("MESA_SHADER_CACHE_MAX_SIZE", "256K")
        .status()
        .expect("child")
        .success()
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let list = std::fs::read_dir(folder).map(|d| d.filter_map(|e| Some(e.ok()?.path())).collect());
    list.unwrap_or_default()
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("compile") => assert_eq!(child(true), vk::Result::SUCCESS),
        Some("find") => assert_eq!(child(false), vk::Result::SUCCESS),
        Some("miss") => assert_eq!(child(false), vk::Result::PIPELINE_COMPILE_REQUIRED),
        _ => parent(),
    }
}

fn parent() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cache-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    assert!(run(&folder, "miss", false));
    assert!(files(&folder).is_empty());
    assert!(run(&folder, "compile", true));
    assert!(files(&folder).is_empty());
    println!("test nothing_is_written_when_disabled ... ok");
    assert!(run(&folder, "compile", false));
    let list = files(&folder);
    assert_eq!(list.len(), 1, "{list:?}");
    assert!(run(&folder, "find", false));
    println!("test the_next_process_finds_the_kernel ... ok");
    assert!(run(&folder, "miss", true));
    let mut bytes = std::fs::read(&list[0]).expect("file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&list[0], &bytes).expect("write");
    assert!(run(&folder, "miss", false));
    assert!(run(&folder, "compile", false));
    assert!(run(&folder, "find", false));
    println!("test a_damaged_file_is_ignored_and_replaced ... ok");
    let stale = folder.join(format!("{}.bin", "0f".repeat(16)));
    std::fs::write(&stale, vec![0; 300_000]).expect("write");
    let file = std::fs::File::options().append(true).open(&stale).expect("file");
    file.set_modified(std::time::UNIX_EPOCH).expect("time");
    std::fs::remove_file(&list[0]).expect("remove");
    assert!(run(&folder, "compile", false));
    let list = files(&folder);
    assert!(list.len() == 1 && list[0] != stale, "{list:?}");
    assert!(run(&folder, "find", false));
    println!("test what_other_builds_left_makes_room ... ok");
    std::fs::remove_dir_all(&folder).expect("clean up");
}
