//! The container of compiled kernels, the loader and the errors.

use super::native::{layout, options, run_loaded, widths, NO_IMAGES};
use compiler::filetest::{parse_file, Setup};
use compiler::sir::Kernel;
use compiler::text::parse;
use gpu_soft::codegen::{compile, CodegenError, Options};
use gpu_soft::kernel_abi::{Header, Width};
use gpu_soft::loader::{LoadError, Loaded};

fn sample() -> (Kernel, Setup) {
    let file = parse_file(include_str!("kernels/vadd.sir")).expect("parses");
    (parse(&file.source).expect("parses"), file.setup)
}

fn compiled() -> Vec<u8> {
    let (kernel, setup) = sample();
    let slots = layout(&kernel, &setup);
    compile(&kernel, &Options::new(widths()[0], &slots)).expect("compiles").bytes
}

#[test]
fn any_damage_is_noticed() {
    let good = compiled();
    assert!(Loaded::load(&good).is_ok());
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        assert_eq!(Loaded::load(&bad).err(), Some(LoadError::Header), "byte {at}");
    }
    for len in [0, 1, 8, 40, 87, 88, 89, good.len() - 1] {
        assert_eq!(Loaded::load(&good[..len]).err(), Some(LoadError::Header), "{len} bytes");
    }
}

/// Objects with a right checksum and wrong contents: errors, no crash. (Code is not executed.)
#[test]
fn malformed_objects_are_errors_or_harmless() {
    let good = compiled();
    let (header, object) = Header::decode(&good).expect("decodes");
    assert_eq!(header.local_size, [64, 1, 1]);
    let mut refused = 0;
    for at in 0..object.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bad = object.to_vec();
            bad[at] ^= flip;
            refused += usize::from(Loaded::load(&header.encode(&bad)).is_err());
        }
    }
    assert!(refused > 100, "{refused}");
    for len in 0..object.len() {
        let _ = Loaded::load(&header.encode(&object[..len]));
    }
    assert!(matches!(Loaded::load(&header.encode(b"no object")), Err(LoadError::Object(_))));
}

#[test]
fn wider_code_than_the_processor_is_refused() {
    let good = compiled();
    let (header, object) = Header::decode(&good).expect("decodes");
    for width in Width::ALL {
        let bytes = Header { width, ..header }.encode(object);
        assert_eq!(Loaded::load(&bytes).is_ok(), width.supported());
    }
}

#[test]
fn options_that_do_not_fit_are_errors() {
    let (kernel, setup) = sample();
    let slots = layout(&kernel, &setup);
    let width = widths()[0];
    let none = Options::new(width, &[]);
    assert!(matches!(compile(&kernel, &none), Err(CodegenError::Options(_))));
    let odd = Options { subgroup_size: 5, ..Options::new(width, &slots) };
    assert!(matches!(compile(&kernel, &odd), Err(CodegenError::Options(_))));
    let empty = Kernel { local_size: [0, 1, 1], ..kernel.clone() };
    assert!(matches!(compile(&empty, &Options::new(width, &slots)), Err(CodegenError::Options(_))));
    let text = "kernel \"t\"\nlocal_size 1 1 1\nbody {\n  %0:f32 = const 1.0\n  %1:f32 = fsin %0\n  return\n}\n";
    let trig = parse(text).expect("parses");
    assert!(matches!(compile(&trig, &Options::new(width, &slots)), Err(CodegenError::Unsupported(_))));
}

#[test]
fn a_cancelled_kernel_returns() {
    let text = "kernel \"endless\"\nlocal_size 64 1 1\nbody {\n  loop @0 () {\n    continue @0\n  }\n  return\n}\n";
    let barrier = text.replace("    continue", "    control_barrier workgroup workgroup\n    continue");
    for text in [text, &barrier] {
        let kernel = parse(text).expect("parses");
        compiler::verify::verify(&kernel).expect("valid");
        for width in widths() {
            let binary = compile(&kernel, &options(width, width.lanes(), &[])).expect("compiles");
            let loaded = Loaded::load(&binary.bytes).expect("loads");
            let setup = Setup { dispatch: [1, 1, 1], subgroup_size: 8, ..Setup::default() };
            run_loaded(&loaded, &[], &setup, &NO_IMAGES, std::ptr::null(), 1, 1);
        }
    }
}

#[test]
fn kernels_compile_in_parallel() {
    let (kernel, setup) = sample();
    let slots = layout(&kernel, &setup);
    let sizes: Vec<usize> = std::thread::scope(|s| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                s.spawn(|| compile(&kernel, &Options::new(widths()[0], &slots)).map(|b| b.bytes.len()).unwrap_or(0))
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap_or(0)).collect()
    });
    assert!(sizes.iter().all(|s| *s > 0 && *s == sizes[0]), "{sizes:?}");
}
