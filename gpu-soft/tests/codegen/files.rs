//! The kernels of `tests/codegen/kernels` and the compiler's own run tests.

use super::native::{interpret, run_unchecked, run_with, widths};
use compiler::filetest::{parse_file, FileTest, Test};
use compiler::sir::Kernel;
use compiler::text::parse;
use compiler::verify::verify;
use gpu_soft::codegen::Options;
use std::path::{Path, PathBuf};

fn kernel_files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "sir"))
        .collect();
    files.sort();
    files
}

fn compare(name: &str, file: &FileTest, kernel: &Kernel) {
    let sizes: &[u32] = if kernel.uses_subgroups && file.setup.subgroup_size >= 4 && !file.setup.expects.is_empty() {
        &[file.setup.subgroup_size]
    } else {
        &[4, 8, 16, 32]
    };
    for &size in sizes {
        let mut setup = file.setup.clone();
        setup.subgroup_size = size;
        let wanted = interpret(kernel, &setup).unwrap_or_else(|e| panic!("{name}: interpreter: {e}"));
        for width in widths() {
            // Natural sizes and one that is not, to keep the number of compilations down.
            if !kernel.uses_subgroups && size != width.lanes() && size != 8 {
                continue;
            }
            for (jam, quick) in [(1, false), (2, false), (4, false), (1, true)] {
                // Where it changes nothing it is not tried again.
                if jam > 1 && (kernel.uses_subgroups || !kernel.invocations().is_multiple_of(size * jam)) {
                    continue;
                }
                let name = format!("{name}{}", if quick { ", quick" } else { "" });
                let found = run_with(kernel, &setup, width, size, |o| Options { jam: Some(jam), quick, ..o })
                    .unwrap_or_else(|e| panic!("{name} {width:?} S{size} jam {jam}: {e}"));
                for (place, bytes) in &wanted {
                    let other = &found[place];
                    if let Some(at) = (0..bytes.len()).find(|&i| bytes[i] != other[i]) {
                        let word = at & !3;
                        let show = |b: &[u8]| b[word..(word + 16).min(b.len())].to_vec();
                        panic!(
                            "{name} {width:?} S{size} jam {jam}: buffer {place:?} differs at byte {at}: wanted {:02x?}, found {:02x?}",
                            show(bytes),
                            show(other)
                        );
                    }
                }
            }
        }
    }
}

fn run_all(dir: &str) -> usize {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let filter = std::env::var("SIR_TEST").unwrap_or_default();
    let mut count = 0;
    for path in kernel_files(&dir) {
        let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        if !name.contains(&filter) {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("readable");
        let file = parse_file(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        if !file.tests.contains(&Test::Interp) || file.setup.fault.is_some() {
            continue;
        }
        let kernel = parse(&file.source).unwrap_or_else(|e| panic!("{name}: {e}"));
        verify(&kernel).unwrap_or_else(|e| panic!("{name}: {e}"));
        compare(&name, &file, &kernel);
        count += 1;
    }
    count
}

/// Kernels that keep to their buffers do the same without checks.
#[test]
fn unchecked_accesses() {
    for name in ["masked_vectors", "row_values"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/codegen/kernels/{name}.sir"));
        let file = parse_file(&std::fs::read_to_string(&path).expect("readable")).expect("a test file");
        let kernel = parse(&file.source).expect("parses");
        let wanted = interpret(&kernel, &file.setup).expect("runs");
        for width in widths() {
            for size in [4, 8, 16, 32] {
                let found = run_unchecked(&kernel, &file.setup, width, size).expect("compiles");
                assert_eq!(found, wanted, "{name} {width:?} S{size}");
            }
        }
    }
}

#[test]
fn own_kernels() {
    assert!(run_all("tests/codegen/kernels") > 0);
}

#[test]
fn kernels_of_the_compiler() {
    assert!(run_all("../compiler/filetests/interp") > 0);
}
