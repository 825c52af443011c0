use super::*;
use crate::sir::AluOp;

fn kernel() -> Kernel {
    Kernel { name: "t".into(), local_size: [1, 1, 1], ..Kernel::default() }
}

fn message(k: &Kernel) -> String {
    verify(k).expect_err("the kernel should be rejected").to_string()
}

#[test]
fn smallest_kernel() {
    let mut k = kernel();
    assert!(message(&k).contains("empty region"));
    k.body.push(&[], Op::Return);
    assert_eq!(verify(&k), Ok(()));
    k.local_size[1] = 0;
    assert!(message(&k).contains("empty"));
}

#[test]
fn value_out_of_the_table() {
    let mut k = kernel();
    k.body.push(&[Value(7)], Op::Const(0));
    k.body.push(&[], Op::Return);
    assert!(message(&k).contains("no type"));
    let mut k = kernel();
    let v = k.value(Type::I32);
    k.body.push(&[v], Op::alu(AluOp::INeg, &[Value(9)]));
    k.body.push(&[], Op::Return);
    assert!(message(&k).contains("no type"));
}

#[test]
fn nesting_is_limited() {
    let mut body = Region::default();
    body.push(&[], Op::Return);
    let mut k = kernel();
    for _ in 0..=MAX_DEPTH {
        let label = k.label();
        let mut outer = Region::default();
        outer.push(&[], Op::Block { label, body });
        outer.push(&[], Op::Return);
        body = outer;
    }
    k.body = body;
    assert!(message(&k).contains("deeper"));
}
