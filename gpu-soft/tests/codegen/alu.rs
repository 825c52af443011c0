//! Every lane-wise operation on edge cases and random bits, as lanes and as scalars, against the interpreter.

use super::native::{run_with, widths};
use compiler::filetest::{Place, Setup};
use compiler::interp::alu::eval;
use compiler::passes::lower_float_controls;
use compiler::sir::{
    Access, Addr, AluFlags, AluOp, AluShape, Binding, BindingKind, Builtin, FloatControls, FloatMode, Kernel, Op,
    Region, Resource, Type, Value,
};
use gpu_soft::codegen::Options;
use gpu_soft::kernel_abi::Width;

const INTS: [Type; 4] = [Type::I8, Type::I16, Type::I32, Type::I64];
const FLOATS: [Type; 3] = [Type::F16, Type::F32, Type::F64];
/// Cases per operation.
const N: usize = 192;

/// What the code generator leaves to lowering passes.
fn lowered(op: AluOp) -> bool {
    use AluOp::*;
    matches!(
        op,
        FRem | FMod
            | FRsqrt
            | FExp2
            | FExp
            | FLog2
            | FLog
            | FPow
            | FSin
            | FCos
            | FTan
            | FAsin
            | FAcos
            | FAtan
            | FAtan2
            | FSinh
            | FCosh
            | FTanh
            | FAsinh
            | FAcosh
            | FAtanh
            | FLdexp
            | FFrexpMant
            | FFrexpExp
    )
}

/// Operand and result types to test an operation with.
fn signatures(op: AluOp) -> Vec<(Vec<Type>, Type)> {
    let ints = |f: &dyn Fn(Type) -> (Vec<Type>, Type)| INTS.iter().map(|t| f(*t)).collect::<Vec<_>>();
    let floats = |f: &dyn Fn(Type) -> (Vec<Type>, Type)| FLOATS.iter().map(|t| f(*t)).collect::<Vec<_>>();
    match op.shape() {
        AluShape::Int(n) => ints(&|t| (vec![t; n.into()], t)),
        AluShape::IntBool(n) => {
            let mut s = ints(&|t| (vec![t; n.into()], t));
            s.push((vec![Type::Bool; n.into()], Type::Bool));
            s
        }
        AluShape::Float(n) => FLOATS.iter().filter(|t| op.has_width(**t)).map(|t| (vec![*t; n.into()], *t)).collect(),
        AluShape::IntCmp => ints(&|t| (vec![t; 2], Type::Bool)),
        AluShape::FloatCmp(n) => floats(&|t| (vec![t; n.into()], Type::Bool)),
        AluShape::Shift => INTS.iter().flat_map(|t| [(vec![*t, Type::I32], *t), (vec![*t, *t], *t)]).collect(),
        AluShape::BitField(4) => ints(&|t| (vec![t, t, Type::I32, Type::I32], t)),
        AluShape::BitField(_) => ints(&|t| (vec![t, Type::I32, Type::I32], t)),
        AluShape::Ldexp | AluShape::FrexpExp => vec![],
        AluShape::Dot => vec![(vec![Type::I32; 2], Type::I32)],
        AluShape::Select => ints(&|t| (vec![Type::Bool, t, t], t)),
        AluShape::Convert => conversions(op),
    }
}

fn conversions(op: AluOp) -> Vec<(Vec<Type>, Type)> {
    let mut out = Vec::new();
    for from in Type::ALL {
        for to in Type::ALL {
            let narrower = to.bits() < from.bits();
            let wider = to.bits() > from.bits();
            let fits = match op {
                AluOp::ITrunc => from.is_int() && to.is_int() && narrower,
                AluOp::ZExt => (from.is_int() || from == Type::Bool) && to.is_int() && wider,
                AluOp::SExt => from.is_int() && to.is_int() && wider,
                AluOp::FToS | AluOp::FToU => from.is_float() && to.is_int(),
                AluOp::SToF | AluOp::UToF => from.is_int() && to.is_float(),
                AluOp::FConv => from.is_float() && to.is_float() && from != to,
                AluOp::FConvRtz => from.is_float() && to.is_float() && narrower,
                AluOp::TableExp2 | AluOp::TableExp2Rest | AluOp::TableReciprocal | AluOp::TableLog2 => {
                    from == Type::I32 && to == Type::F32
                }
                _ => {
                    let memory = from.bytes() > 0 && to.bytes() > 0;
                    memory && from.bits() == to.bits() && from != to
                }
            };
            if fits {
                out.push((vec![from], to));
            }
        }
    }
    out
}

fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let x = *seed;
    x ^ (x >> 29) ^ (x << 17)
}

/// Bits of a value of a type: edges first, then random ones of all magnitudes.
fn operand(ty: Type, seed: &mut u64) -> u64 {
    let r = random(seed);
    let edges: &[u64] = match ty {
        Type::Bool => &[0, 1],
        Type::I8 => &[0, 1, 2, 3, 7, 8, 0x7f, 0x80, 0x81, 0xfe, 0xff],
        Type::I16 => &[0, 1, 2, 15, 16, 0x7fff, 0x8000, 0x8001, 0xff, 0xffff],
        Type::I32 => &[0, 1, 2, 3, 31, 32, 33, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_fffe, 0xffff_ffff],
        Type::I64 | Type::Buf => {
            &[0, 1, 63, 64, i64::MAX as u64, 1 << 63, (1 << 63) + 1, u64::MAX, u64::MAX - 1, 1 << 32]
        }
        Type::F16 => &[
            0, 0x8000, 1, 0x8001, 0x3ff, 0x400, 0x3c00, 0xbc00, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e00, 0x3555, 0x4700,
        ],
        Type::F32 => &[
            0,
            0x8000_0000,
            1,
            0x007f_ffff,
            0x0080_0000,
            0x3f80_0000,
            0xbf80_0000,
            0x3f00_0000,
            0x4020_0000,
            0x7f7f_ffff,
            0xff7f_ffff,
            0x7f80_0000,
            0xff80_0000,
            0x7fc0_0000,
            0x477f_e000,
            0x477f_efff,
            0x477f_f000,
            0x3380_0000,
            0x3300_0001,
            0x4f00_0000,
            0xcf00_0000,
            0x4f80_0000,
            0x5f00_0000,
        ],
        Type::F64 => &[
            0,
            1 << 63,
            1,
            0x3ff0 << 48,
            0xbff0 << 48,
            0x7fef_ffff_ffff_ffff,
            0x7ff0 << 48,
            0xfff0 << 48,
            0x7ff8 << 48,
            0x36a0_0000_0000_0000,
            0x47ef_ffff_f000_0000,
            0x40ef_fdff_ffff_ffff,
            0x3f10_0000_0000_0001,
            0x3e60_0000_0000_0001,
            0x43e0 << 48,
            0xc3e0 << 48,
            0x43f0 << 48,
        ],
    };
    match r % 5 {
        0 | 1 => edges[(r >> 8) as usize % edges.len()],
        2 if ty.is_int() => ((r >> 8) % 70) & ty.mask(),
        3 if ty == Type::F32 => u64::from((((r >> 8) as i32 as f32) * 0.000_123).to_bits()),
        3 if ty == Type::F64 => (((r >> 8) as i64 as f64) * 1e-12).to_bits(),
        _ => (r >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) & ty.mask(),
    }
}

/// What `FScale` says something of.
fn scaled_operand(which: usize, seed: &mut u64) -> u64 {
    let r = random(seed) >> 16;
    let x = match which {
        0 if r.is_multiple_of(16) => f32::NAN,
        0 => f32::from_bits(0x3f00_0000 + (r as u32 & 0x00ff_ffff)) * if r & (1 << 30) == 0 { 1.0 } else { -1.0 },
        _ => (r % 505) as f32 - 252.0,
    };
    u64::from(x.to_bits())
}

/// The type that a value is kept in memory as.
fn memory_type(ty: Type) -> Type {
    if ty == Type::Bool {
        Type::I32
    } else {
        ty
    }
}

struct Job {
    op: AluOp,
    args: Vec<Type>,
    result: Type,
    inputs: Vec<Vec<u64>>,
    /// Byte offset of each input column and of the result column in the buffer.
    columns: Vec<usize>,
}

fn hidden(k: &mut Kernel, r: &mut Region, ty: Type, op: Op) -> Value {
    let v = k.value(ty);
    r.push(&[v], op);
    v
}

/// A kernel that computes all jobs; `uniform`: all invocations of a workgroup take the same element.
fn kernel_for(jobs: &[Job], uniform: bool) -> Kernel {
    let mut k = Kernel {
        name: "alu".into(),
        local_size: if uniform { [1, 1, 1] } else { [64, 1, 1] },
        bindings: vec![Binding { set: 0, binding: 0, kind: BindingKind::StorageBuffer, count: 1, written: true }],
        ..Kernel::default()
    };
    let mut r = Region::default();
    let res = Resource { set: 0, binding: 0, index: None, non_uniform: false };
    let buf = hidden(&mut k, &mut r, Type::Buf, Op::Buffer(res));
    let builtin = if uniform { Builtin::WorkgroupId(0) } else { Builtin::GlobalId(0) };
    let id = hidden(&mut k, &mut r, Type::I32, Op::Builtin(builtin));
    let id = hidden(&mut k, &mut r, Type::I64, Op::alu(AluOp::ZExt, &[id]));
    let one = hidden(&mut k, &mut r, Type::I32, Op::Const(1));
    for job in jobs {
        let mut args = Vec::new();
        for (ty, column) in job.args.iter().zip(&job.columns) {
            let mem = memory_type(*ty);
            let size = hidden(&mut k, &mut r, Type::I64, Op::Const(mem.bytes().into()));
            let off = hidden(&mut k, &mut r, Type::I64, Op::alu(AluOp::IMul, &[id, size]));
            let addr = Addr::Buffer { buf, off: Some(off), imm: *column as i64 };
            let v = hidden(&mut k, &mut r, mem, Op::Load { addr, access: Access::plain(mem.bytes()) });
            args.push(if *ty == Type::Bool {
                hidden(&mut k, &mut r, Type::Bool, Op::alu(AluOp::IEq, &[v, one]))
            } else {
                v
            });
        }
        let op = Op::Alu { op: job.op, args: args.into_iter().collect(), flags: AluFlags { no_contract: true } };
        let mut v = hidden(&mut k, &mut r, job.result, op);
        let mem = memory_type(job.result);
        if job.result == Type::Bool {
            v = hidden(&mut k, &mut r, Type::I32, Op::alu(AluOp::ZExt, &[v]));
        }
        let size = hidden(&mut k, &mut r, Type::I64, Op::Const(mem.bytes().into()));
        let off = hidden(&mut k, &mut r, Type::I64, Op::alu(AluOp::IMul, &[id, size]));
        let column = job.columns[job.args.len()];
        let addr = Addr::Buffer { buf, off: Some(off), imm: column as i64 };
        r.push(&[], Op::Store { addr, values: [v].into_iter().collect(), access: Access::plain(mem.bytes()) });
    }
    r.push(&[], Op::Return);
    k.body = r;
    k
}

fn is_nan(ty: Type, bits: u64) -> bool {
    match ty {
        Type::F16 => bits & 0x7fff > 0x7c00,
        Type::F32 => f32::from_bits(bits as u32).is_nan(),
        Type::F64 => f64::from_bits(bits).is_nan(),
        _ => false,
    }
}

/// Whether a result is right, given what the language leaves open.
fn agrees(job: &Job, wanted: u64, found: u64) -> bool {
    let sign = 1u64 << job.result.bits().saturating_sub(1);
    wanted == found
        || (is_nan(job.result, wanted) && is_nan(job.result, found))
        // Of two zeros either is the minimum.
        || (matches!(job.op, AluOp::FMin | AluOp::FMax) && (wanted | found) & !sign == 0)
}

fn jobs_of(ops: &[AluOp]) -> (Vec<Job>, Vec<u8>) {
    let mut seed = 0x1234_5678_9abc_def0;
    let mut bytes: Vec<u8> = Vec::new();
    let mut jobs = Vec::new();
    for &op in ops {
        for (args, result) in signatures(op) {
            let mut columns = Vec::new();
            let mut inputs = vec![Vec::new(); args.len()];
            for (i, ty) in args.iter().enumerate() {
                columns.push(bytes.len());
                let mem = memory_type(*ty);
                for _ in 0..N {
                    let v = match (op, i) {
                        (AluOp::FScale, _) => scaled_operand(i, &mut seed),
                        _ => operand(*ty, &mut seed),
                    };
                    inputs[i].push(v);
                    bytes.extend_from_slice(&v.to_le_bytes()[..mem.bytes() as usize]);
                }
                bytes.resize(bytes.len().next_multiple_of(64), 0);
            }
            columns.push(bytes.len());
            bytes.resize((bytes.len() + N * memory_type(result).bytes() as usize).next_multiple_of(64), 0);
            jobs.push(Job { op, args, result, inputs, columns });
        }
    }
    (jobs, bytes)
}

fn check(ops: &[AluOp], uniform: bool, fc: FloatControls) {
    let (jobs, bytes) = jobs_of(ops);
    let mut kernel = kernel_for(&jobs, uniform);
    kernel.float_controls = fc;
    lower_float_controls::run(&mut kernel);
    compiler::verify::verify(&kernel).expect("valid");
    let groups = if uniform { N as u32 } else { N as u32 / 64 };
    let setup = Setup {
        dispatch: [groups, 1, 1],
        subgroup_size: 8,
        buffers: vec![(Place { set: 0, binding: 0, element: 0 }, bytes)],
        ..Setup::default()
    };
    for (width, quick) in widths().into_iter().flat_map(|w| [(w, false), (w, true)]) {
        // Other widths have no code of their own for it.
        if quick && width != Width::W16 {
            continue;
        }
        let found =
            run_with(&kernel, &setup, width, width.lanes(), |o| Options { quick, ..o }).expect("compiles and runs");
        let found = &found[&(0, 0, 0)];
        for job in &jobs {
            let size = memory_type(job.result).bytes() as usize;
            for i in 0..N {
                let args: Vec<u64> = job.inputs.iter().map(|c| c[i]).collect();
                let wanted = eval(job.op, &job.args, job.result, &args, &fc);
                let at = job.columns[job.args.len()] + i * size;
                let mut all = [0; 8];
                all[..size].copy_from_slice(&found[at..at + size]);
                let found = u64::from_le_bytes(all);
                assert!(
                    agrees(job, wanted, found),
                    "{width:?} quick {quick} {} {:?} -> {}: of {args:x?} wanted {wanted:x}, found {found:x}",
                    job.op.name(),
                    job.args,
                    job.result
                );
            }
        }
    }
}

fn all_ops() -> Vec<AluOp> {
    AluOp::ALL.iter().copied().filter(|op| !lowered(*op)).collect()
}

#[test]
fn operations_on_lanes() {
    // A few kernels rather than one: compile time grows with the size.
    for ops in all_ops().chunks(12) {
        check(ops, false, FloatControls::default());
    }
}

#[test]
fn operations_on_scalars() {
    for ops in all_ops().chunks(12) {
        check(ops, true, FloatControls::default());
    }
}

#[test]
fn operations_under_float_controls() {
    let float = |op: &AluOp| match op.shape() {
        AluShape::Float(_) | AluShape::FloatCmp(_) => true,
        AluShape::Convert => matches!(op, AluOp::FConv | AluOp::FConvRtz | AluOp::SToF | AluOp::UToF),
        _ => false,
    };
    let ops: Vec<AluOp> = all_ops().into_iter().filter(float).collect();
    let mode = |flush_denorms, rtz| FloatMode { flush_denorms, rtz, ..FloatMode::default() };
    let all = FloatControls { f16: mode(true, true), f32: mode(true, true), f64: mode(true, false) };
    let some = FloatControls { f16: mode(false, true), f32: mode(true, false), f64: mode(false, false) };
    for ops in ops.chunks(12) {
        check(ops, false, all);
        check(ops, true, all);
        check(ops, false, some);
    }
}
