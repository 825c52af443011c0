use super::*;
use crate::sir::{Kernel, Label, Value};
use crate::text::parse;

fn kernel(body: &str) -> Kernel {
    let text = format!(
        "kernel \"a\"\nlocal_size 32 2 1\nshared 64\npush 16\nsubgroups\nbinding 0.0 storage_buffer count 1 written\nbody {{\n{body}\nreturn\n}}"
    );
    let k = parse(&text).expect("parses");
    crate::verify::verify(&k).expect("valid");
    k
}

fn levels(body: &str, of: &[u32]) -> Vec<Level> {
    let k = kernel(body);
    let u = Uniformity::new(&k, 16);
    of.iter().map(|v| u.value(Value(*v))).collect()
}

use Level::{Const, Dispatch, Subgroup, Varying, Workgroup};

#[test]
fn sources_have_their_level() {
    let body = "%0:i32 = const 1
        %1:i32 = load push(0) align 4
        %2:i32 = builtin workgroup_id.x
        %3:i32 = builtin local_id.y
        %4:i32 = builtin local_id.x
        %5:i32 = builtin local_id.z
        %6:i32 = iadd %1 %2
        %7:i32 = iadd %6 %3
        %8:i32 = iadd %7 %4
        %9:buf = buffer 0.0
        %10:i32 = load buffer(%9 0) align 4
        %11:i32 = load buffer(%9 0) align 4 atomic
        %12:bool = ult %4 %1
        %13:i64 = subgroup ballot %12
        %14:i32 = atomic_rmw iadd buffer(%9 0) %0";
    assert_eq!(
        levels(body, &(0..15).collect::<Vec<_>>()),
        [
            Const, Dispatch, Workgroup, Subgroup, Varying, Const, Workgroup, Subgroup, Varying, Dispatch, Workgroup,
            Subgroup, Varying, Subgroup, Varying
        ]
    );
}

#[test]
fn counters_of_divergent_loops_stay_uniform_and_results_do_not() {
    let body = "%0:i32 = builtin local_id.x
        %1:i32 = const 0
        %2:i32 = const 1
        %3:i32 = loop @0 (%4:i32=%1) {
          %5:bool = ult %0 %4
          if %5 {
            break @0 %4
          } else {
            yield
          }
          %6:i32 = iadd %4 %2
          continue @0 %6
        }";
    let k = kernel(body);
    let u = Uniformity::new(&k, 16);
    assert_eq!(u.value(Value(4)), Const);
    assert_eq!(u.value(Value(3)), Varying);
    assert_eq!(u.break_join(Label(0)), Varying);
    // Those who broke do not come to the next iteration: those who do come together.
    assert_eq!(u.continue_join(Label(0)), Const);
}

#[test]
fn continuing_early_parts_the_next_iteration() {
    let body = "%0:i32 = builtin local_id.x
        %1:i32 = const 0
        %2:i32 = const 9
        loop @0 (%4:i32=%1) {
          %5:bool = ult %2 %4
          if %5 {
            break @0
          } else {
            yield
          }
          %6:bool = ult %0 %4
          if %6 {
            continue @0 %2
          } else {
            yield
          }
          continue @0 %1
        }";
    let k = kernel(body);
    let u = Uniformity::new(&k, 16);
    assert_eq!(u.value(Value(4)), Varying);
    assert_eq!(u.continue_join(Label(0)), Varying);
}

#[test]
fn joins_behind_divergent_exits_are_divergent() {
    // Syntactically the second exit stands under no condition.
    let body = "%0:i32 = builtin local_id.x
        %1:i32 = const 0
        %2:bool = ult %0 %1
        %3:i32 = block @0 {
          block @1 {
            if %2 {
              break @1
            } else {
              yield
            }
            break @0 %1
          }
          %4:i32 = const 1
          yield %4
        }
        %5:i32 = if %2 {
          yield %1
        } else {
          yield %1
        }";
    let k = kernel(body);
    let u = Uniformity::new(&k, 16);
    assert_eq!(u.value(Value(3)), Varying);
    assert_eq!(u.break_join(Label(0)), Varying);
    assert_eq!(u.value(Value(5)), Const, "the same value on both sides");
}

#[test]
fn those_that_left_wait_for_those_that_leave_further() {
    // Of the exit of the outer block nothing shows that it is under a condition: lanes that did not break went past it.
    let inner = |inner: &str| {
        format!(
            "%0:i32 = builtin local_id.x
            %1:i32 = const 0
            %2:i32 = const 1
            %3:bool = ult %0 %2
            %4:i32 = block @0 {{
              block @1 {{
                {inner}
                break @0 %1
              }}
              yield %2
            }}"
        )
    };
    let block = "block @2 {
          if %3 {
            break @2
          } else {
            yield
          }
          break @1
        }";
    let broken = "loop @2 (%5:i32=%1) {
          %6:bool = ieq %5 %0
          if %6 {
            break @2
          } else {
            yield
          }
          %7:bool = ieq %5 %2
          if %7 {
            break @1
          } else {
            yield
          }
          %8:i32 = iadd %5 %2
          continue @2 %8
        }";
    let continued = "loop @2 (%5:i32=%1) {
          %6:bool = ieq %5 %2
          if %6 {
            break @2
          } else {
            yield
          }
          if %3 {
            continue @2 %2
          } else {
            yield
          }
          break @1
        }";
    for text in [block, broken, continued] {
        let k = kernel(&inner(text));
        let u = Uniformity::new(&k, 16);
        assert_eq!(u.break_join(Label(0)), Varying, "{text}");
        assert_eq!(u.value(Value(4)), Varying, "{text}");
        assert_eq!(u.return_join(), Const, "{text}");
    }
    // Where no condition parts lanes they stay together.
    let together = inner(&block.replace("%3", "%9")).replace("%4:i32 = block", "%9:bool = ult %1 %2\n%4:i32 = block");
    assert_eq!(Uniformity::new(&kernel(&together), 16).break_join(Label(0)), Const);
}

#[test]
fn uniform_conditions_keep_joins_uniform() {
    let body = "%0:i32 = builtin workgroup_id.x
        %1:i32 = const 0
        %2:bool = ult %0 %1
        %3:i32 = block @0 {
          if %2 {
            break @0 %1
          } else {
            yield
          }
          yield %0
        }";
    let k = kernel(body);
    let u = Uniformity::new(&k, 16);
    assert_eq!(u.value(Value(3)), Workgroup);
    assert_eq!(u.break_join(Label(0)), Workgroup);
    assert_eq!(u.return_join(), Const);
}

#[test]
fn divergent_returns_are_seen() {
    let body = "%0:i32 = builtin local_id.x
        %1:i32 = const 0
        %2:bool = ult %0 %1
        if %2 {
          return
        } else {
          yield
        }";
    let u = Uniformity::new(&kernel(body), 16);
    assert_eq!(u.return_join(), Varying);
}

#[test]
fn fallthrough_parts_what_the_selector_parts() {
    let body = "%0:i32 = builtin local_id.x
        %1:i32 = const 0
        %2:i32 = const 5
        %3:i32 = switch @0 %0 {
        case 1 {
          fallthrough %1
        }
        case default (%4:i32=%2) {
          yield %4
        }
        }
        %5:i32 = switch @1 %2 {
        case 1 {
          fallthrough %1
        }
        case default (%6:i32=%2) {
          yield %6
        }
        }";
    let k = kernel(body);
    let u = Uniformity::new(&k, 16);
    assert_eq!((u.value(Value(4)), u.value(Value(3))), (Varying, Varying));
    assert_eq!((u.value(Value(6)), u.value(Value(5))), (Const, Const));
}

fn shapes(body: &str) -> Shapes {
    let k = kernel(body);
    let u = Uniformity::new(&k, 16);
    Shapes::new(&k, &u, &Facts { subgroup_size: 16, max_groups: [65535; 3] })
}

#[test]
fn strides_follow_arithmetic() {
    let s = shapes(
        "%0:i32 = builtin global_id.x
        %1:i32 = const 12
        %2:i32 = imul %0 %1
        %3:i32 = load push(0) align 4
        %4:i32 = iadd %2 %3
        %5:i64 = zext %2
        %6:i64 = zext %4
        %7:i32 = isub %3 %2
        %8:i32 = and %0 %1
        %9:i32 = const 2
        %10:i32 = shl %0 %9
        %11:i64 = sext %10",
    );
    let of: Vec<Option<i64>> = (0..12).map(|v| s.stride(Value(v))).collect();
    // What a push constant was added to may wrap between two lanes: its extension is not known to grow evenly.
    let wanted =
        [Some(1), Some(0), Some(12), Some(0), Some(12), Some(12), None, Some(-12), None, Some(0), Some(4), Some(4)];
    assert_eq!(of, wanted);
}

/// In 16 lanes of a workgroup of 8×8 there are two rows: coordinates, and offsets made of them, grow within each.
#[test]
fn strides_within_rows() {
    let mut k = kernel(
        "%0:i32 = builtin global_id.x
        %1:i32 = builtin global_id.y
        %2:i32 = load push(0) align 4
        %3:i32 = imul %1 %2
        %4:i32 = iadd %3 %0
        %5:i32 = const 2
        %6:i32 = shl %4 %5
        %7:i32 = ushr %1 %5
        %8:i32 = ushr %0 %5
        %9:i32 = builtin local_index",
    );
    k.local_size = [8, 8, 1];
    let u = Uniformity::new(&k, 16);
    let s = Shapes::new(&k, &u, &Facts { subgroup_size: 16, max_groups: [65535; 3] });
    assert_eq!(super::rows(&k, 16), 2);
    let of = |f: fn(&Shapes, Value) -> Option<i64>| (0..10).map(|v| f(&s, Value(v))).collect::<Vec<_>>();
    let row = [Some(1), Some(0), Some(0), Some(0), Some(1), Some(0), Some(4), Some(0), None, Some(1)];
    assert_eq!(of(Shapes::row_stride), row);
    let all = [None, None, Some(0), None, None, Some(0), None, None, None, Some(1)];
    assert_eq!(of(Shapes::stride), all);
}

#[test]
fn rows_that_are_followed() {
    let rows = |size: [u32; 3], lanes: u32| {
        let mut k = kernel("");
        k.local_size = size;
        super::rows(&k, lanes)
    };
    assert_eq!(rows([16, 16, 1], 64), 4);
    assert_eq!(rows([4, 4, 4], 16), 4);
    assert_eq!(rows([16, 16, 1], 16), 1, "lanes in one row");
    assert_eq!(rows([64, 1, 1], 16), 1, "one dimension");
    assert_eq!(rows([6, 6, 1], 16), 1, "rows that subgroups do not end with");
    assert_eq!(rows([2, 32, 1], 16), 1, "too narrow");
}

#[test]
fn strides_of_loop_parameters() {
    let s = shapes(
        "%0:i32 = builtin local_id.x
        %1:i32 = const 16
        %2:i32 = const 100
        loop @0 (%3:i32=%0 %4:i32=%0) {
          %5:bool = ult %2 %3
          if %5 {
            break @0
          } else {
            yield
          }
          %6:i32 = iadd %3 %1
          %7:i32 = imul %4 %4
          continue @0 %6 %7
        }",
    );
    assert_eq!(s.stride(Value(3)), Some(1));
    assert_eq!(s.stride(Value(4)), None);
}

#[test]
fn ranges_bound_values() {
    let s = shapes(
        "%0:i32 = builtin local_id.y
        %1:i32 = builtin local_index
        %2:i32 = load push(0) align 4
        %3:i32 = const 7
        %4:i32 = and %2 %3
        %5:i32 = iadd %4 %3
        %6:i32 = urem %2 %3
        %7:i64 = zext %5
        %8:i32 = isub %4 %3",
    );
    let r = |v: u32| s.range(Value(v)).map(|r| (r.lo, r.hi));
    assert_eq!(r(1), Some((0, 63)));
    assert_eq!(r(4), Some((0, 7)));
    assert_eq!(r(5), Some((7, 14)));
    assert_eq!(r(6), Some((0, 6)));
    assert_eq!(r(7), Some((7, 14)));
    assert_eq!(r(8), Some((0, u64::from(u32::MAX))), "may wrap");
}
