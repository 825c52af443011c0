use super::*;
use crate::sir::visit::renumber;
use crate::sir::Type;

/// A kernel that uses every operation once; verification is not the point here.
const EVERYTHING: &str = r#"kernel "ma\"in"
local_size 8 2 1
shared 64 zeroed
push 16
wide_indexing
subgroups
float f16 flush_denorms rtz
float f32 preserve_denorms rte signed_zero_inf_nan
slot $0 size 16 align 4
binding 0.0 storage_buffer count 1 written
binding 0.1 uniform_buffer count 0
binding 1.7 combined_image_sampler count 4
body {
  %0:i32 = const -5
  %1:f32 = const 1.5
  %2:f16 = const -0.0
  %3:f64 = const 0x7ff8000000000001
  %4:bool = const true
  %5:buf = const 0x0
  %6:i32 = builtin global_id.x
  %7:buf = buffer 0.0 [%6] non_uniform
  %8:i64 = buffer_size %7
  %9:f32 %10:f32 = load buffer(%7 %8 -4) align 4 volatile coherent non_writable restrict
  store shared(%0 8) %9 %10 align 8
  store slot($0 %0 8) %9 align 4
  %11:i32 = load push(4) align 4
  %12:i32 = load global(%8 16) align 4 atomic
  %13:i32 = atomic_rmw umax buffer(%7 0) %0 volatile
  %14:i32 = atomic_cas shared(4) %0 %6
  %15:f32 %16:f32 %17:f32 %18:f32 %19:i32 = image_load 1.7 2d arrayed ms coords(%0 %0 %0) lod %0 sample %6 sparse
  image_store 1.7 [%0] 3d coords(%0 %0 %0) texel(%15 %16 %17 %18)
  %20:i32 = image_atomic hadd 1.7 texels coords(%0) %6
  %21:i32 = image_cas 1.7 1d coords(%0) %6 %0
  %22:i32 %23:i32 = image_size 1.7 2d lod %0
  %24:i32 = image_levels 1.7 cube
  %25:i32 = image_samples 1.7 2d ms
  %26:f32 = sample 1.7 2d sampler 0.1 coords(%1 %1) lod %1 grad(%1 %1 %1 %1) offsets(%0 %0) dref %1 min_lod %1 bias %1 sparse
  %27:f32 %28:f32 %29:f32 %30:f32 = gather 1.7 2d coords(%1 %1) component 2
  %90:f32 %91:f32 = query_lod 1.7 2d coords(%1 %1) grad(%1 %1 %1 %1)
  %31:bool = subgroup elect
  %32:f32 = subgroup group fadd exclusive 4 %1
  %33:f32 = subgroup rotate 8 %1 %0
  %34:f32 = subgroup quad_swap 2 %1
  control_barrier workgroup device
  memory_barrier queue_family
  %35:i64 = read_clock subgroup
  %36:f32 = fma %1 %1 %1 no_contract
  %37:i32 = if %4 {
    yield %0
  } else {
    yield %6
  }
  %38:f32 = loop @0 (%39:i32=%0 %40:f32=%1) {
    %41:i32 = switch @1 %39 {
    case 1 2 {
      fallthrough %6
    }
    case 4294967295 default (%42:i32=%0) {
      yield %42
    }
    }
    block @2 {
      if %4 {
        break @2
      } else {
        continue @0 %41 %40
      }
      unreachable
    }
    break @0 %40
  }
  return
}
"#;

#[test]
fn round_trip_is_exact() {
    let k = parse(EVERYTHING).expect("parses");
    let text = print(&k);
    assert_eq!(text, EVERYTHING);
    assert_eq!(parse(&text).expect("parses again"), k);
}

#[test]
fn renumbering_is_canonical() {
    let mut a = parse(EVERYTHING).expect("parses");
    // The same kernel under other numbers.
    let spread = EVERYTHING.replace('%', "%10").replace('@', "@3");
    let mut b = parse(&spread).expect("parses");
    assert_ne!(a, b);
    renumber(&mut a);
    renumber(&mut b);
    assert_eq!(a, b);
    assert_eq!(parse(&print(&a)).expect("parses"), a);
}

#[test]
fn constants_keep_their_bits() {
    for (ty, all) in [
        (Type::F16, vec![0, 1, 0x8000, 0x3c00, 0x7bff, 0x7c00, 0x7c01, 0x7e00, 0xfe00, 0x03ff]),
        (Type::F32, vec![0, 1, 0x8000_0000, 0x3f80_0000, 0x7f80_0000, 0x7fc0_0000, 0xffc0_0001, 0x007f_ffff]),
        (Type::F64, vec![0, 1, 1 << 63, 0x7ff0 << 48, 0x7ff8 << 48, (0xfff8 << 48) + 1, f64::MAX.to_bits()]),
        (Type::I8, vec![0, 0x7f, 0x80, 0xff]),
        (Type::I64, vec![0, 1 << 63, u64::MAX, i64::MAX as u64]),
        (Type::Bool, vec![0, 1]),
    ] {
        for bits in all {
            let text = format!("kernel \"c\"\nbody {{\n%0:{ty} = const {}\nreturn\n}}", print::constant(ty, bits));
            let k = parse(&text).expect("parses");
            assert_eq!(k.body.insts[0].op, crate::sir::Op::Const(bits), "{text}");
        }
    }
}

#[test]
fn errors_name_the_line() {
    for (text, line, part) in [
        ("", 1, "0 kernels"),
        ("kernel \"a\"\nbody {\n  %0:i32 = frobnicate\n}", 3, "unknown operation"),
        ("kernel \"a\"\nbody {\n  %0:i33 = const 1\n}", 3, "type"),
        ("kernel \"a\"\nbody {\n  %0:i32 = iadd %0\n  return\n}", 3, "2 operands"),
        ("kernel \"a\"\nslot $1 size 4 align 4\nbody {}", 2, "in order"),
        ("kernel \"a\"\nbody {\n  %99999999:i32 = const 1\n}", 3, "too large"),
        ("kernel \"a\nbody", 1, "without end"),
        ("kernel \"a\"\nbody {\n", 2, "operation expected"),
        ("kernel \"a\"\nbody {\n %0:i32 = const 1\n %0:f32 = const 1\n}", 4, "two types"),
    ] {
        let e = parse(text).expect_err(text);
        assert_eq!(e.line, line, "{e}");
        assert!(e.message.contains(part), "{e}");
    }
}

#[test]
fn nothing_makes_the_parser_panic() {
    // Every prefix, and every one-byte change of a large text.
    for n in 0..EVERYTHING.len() {
        let _ = parse(&EVERYTHING[..n]);
    }
    let bytes = EVERYTHING.as_bytes();
    let mut seed = 1u32;
    for i in 0..bytes.len() {
        let mut b = bytes.to_vec();
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b[i] = (seed >> 24) as u8 & 0x7f;
        if let Ok(text) = String::from_utf8(b) {
            let _ = parse(&text).map(|k| (print(&k), crate::verify::verify(&k)));
        }
    }
    let deep = format!("kernel \"d\"\nbody {{ {}", "block @0 {".repeat(100_000));
    assert!(parse(&deep).is_err());
}
