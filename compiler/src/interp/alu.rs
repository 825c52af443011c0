//! The exact meaning of every lane-wise operation; shared with constant folding.

use super::float;
use crate::sir::{tables, AluOp, AluShape, FloatControls, Type};

/// Sign-extends the low bits of a value of type `ty`.
pub const fn signed(ty: Type, bits: u64) -> i64 {
    let shift = 64 - ty.bits();
    ((bits << shift) as i64) >> shift
}

/// Evaluates an operation for one invocation. `arg_types[i]` is the type of `args[i]`; all values keep their bits in
/// the low end with zeros above. Operand types must be such as the verifier accepts; others give some value.
pub fn eval(op: AluOp, arg_types: &[Type], result: Type, args: &[u64], fc: &FloatControls) -> u64 {
    let t = arg_types.first().copied().unwrap_or(Type::I32);
    let a = args.first().copied().unwrap_or(0);
    let b = args.get(1).copied().unwrap_or(0);
    match op.shape() {
        AluShape::Int(_) | AluShape::IntBool(_) | AluShape::IntCmp => integer(op, t, a, b) & result.mask(),
        AluShape::Shift => {
            let n = (b % u64::from(t.bits())) as u32;
            let r = match op {
                AluOp::Shl => a << n,
                AluOp::UShr => a >> n,
                _ => (signed(t, a) >> n) as u64,
            };
            r & t.mask()
        }
        AluShape::BitField(_) => bit_field(op, t, args),
        AluShape::Dot => dot(op, a, b),
        AluShape::Select => {
            if a & 1 == 1 {
                b
            } else {
                args.get(2).copied().unwrap_or(0)
            }
        }
        AluShape::Float(_) | AluShape::FloatCmp(_) | AluShape::Ldexp | AluShape::FrexpExp => {
            float::eval(op, t, args, fc)
        }
        AluShape::Convert => match op {
            AluOp::ITrunc | AluOp::Bitcast => a & result.mask(),
            AluOp::ZExt => a,
            AluOp::SExt => signed(t, a) as u64 & result.mask(),
            AluOp::TableExp2 | AluOp::TableExp2Rest | AluOp::TableReciprocal | AluOp::TableLog2 => {
                let index = a as usize % tables::ENTRIES;
                tables::of(op).map_or(0, |table| u64::from(table[index].to_bits()))
            }
            _ => float::convert(op, t, result, a, fc),
        },
    }
}

fn integer(op: AluOp, t: Type, a: u64, b: u64) -> u64 {
    let bits = t.bits();
    let mask = t.mask();
    let (sa, sb) = if t == Type::Bool { (a as i64, b as i64) } else { (signed(t, a), signed(t, b)) };
    let min = 1u64 << (bits - 1);
    let flag = u64::from;
    match op {
        AluOp::IAdd => a.wrapping_add(b),
        AluOp::ISub => a.wrapping_sub(b),
        AluOp::IMul => a.wrapping_mul(b),
        AluOp::UMulHi => ((u128::from(a) * u128::from(b)) >> bits) as u64,
        AluOp::SMulHi => ((i128::from(sa) * i128::from(sb)) >> bits) as u64,
        AluOp::INeg => a.wrapping_neg(),
        AluOp::IAbs => sa.wrapping_abs() as u64,
        AluOp::ISign => sa.signum() as u64,
        AluOp::UDiv => a.checked_div(b).unwrap_or(u64::MAX),
        AluOp::SDiv => {
            if b == 0 {
                u64::MAX
            } else {
                sa.wrapping_div(sb) as u64
            }
        }
        AluOp::URem => a.checked_rem(b).unwrap_or(a),
        AluOp::SRem => {
            if b == 0 {
                a
            } else {
                sa.wrapping_rem(sb) as u64
            }
        }
        AluOp::SMod => {
            if b == 0 {
                return a;
            }
            let r = sa.wrapping_rem(sb);
            (if r != 0 && (r < 0) != (sb < 0) { r.wrapping_add(sb) } else { r }) as u64
        }
        AluOp::And => a & b,
        AluOp::Or => a | b,
        AluOp::Xor => a ^ b,
        AluOp::Not => !a,
        AluOp::SMin => sa.min(sb) as u64,
        AluOp::SMax => sa.max(sb) as u64,
        AluOp::UMin => a.min(b),
        AluOp::UMax => a.max(b),
        AluOp::UAddSat => (u128::from(a) + u128::from(b)).min(u128::from(mask)) as u64,
        AluOp::SAddSat => {
            let sum = i128::from(sa) + i128::from(sb);
            let max = i128::from(min) - 1;
            sum.clamp(-max - 1, max) as u64
        }
        AluOp::BitCount => u64::from(a.count_ones()),
        AluOp::BitReverse => a.reverse_bits() >> (64 - bits),
        AluOp::FindLsb => {
            if a == 0 {
                u64::MAX
            } else {
                u64::from(a.trailing_zeros())
            }
        }
        AluOp::FindUMsb => 63u64.wrapping_sub(u64::from(a.leading_zeros())),
        AluOp::FindSMsb => {
            let differing = (sa ^ (sa >> 63)) as u64;
            63u64.wrapping_sub(u64::from(differing.leading_zeros()))
        }
        AluOp::IEq => flag(a == b),
        AluOp::INe => flag(a != b),
        AluOp::ULt => flag(a < b),
        AluOp::ULe => flag(a <= b),
        AluOp::SLt => flag(sa < sb),
        AluOp::SLe => flag(sa <= sb),
        _ => 0,
    }
}

fn bit_field(op: AluOp, t: Type, args: &[u64]) -> u64 {
    let n = args.len();
    let [.., offset, count] = args else { return 0 };
    let width = u64::from(t.bits());
    let offset = (*offset).min(width);
    let count = (*count).min(width - offset);
    if n == 4 {
        let field = field_mask(count) << (offset & 63);
        let field = if offset == 64 { 0 } else { field };
        return (args[0] & !field | (args[1] << (offset & 63)) & field) & t.mask();
    }
    if count == 0 {
        return 0;
    }
    let raw = (args[0] >> offset) & field_mask(count);
    if op == AluOp::SBitExtract {
        let shift = 64 - count;
        return (((raw << shift) as i64) >> shift) as u64 & t.mask();
    }
    raw
}

const fn field_mask(count: u64) -> u64 {
    if count >= 64 {
        u64::MAX
    } else {
        (1 << count) - 1
    }
}

fn dot(op: AluOp, a: u64, b: u64) -> u64 {
    let mut sum = 0i32;
    for (x, y) in (a as u32).to_le_bytes().into_iter().zip((b as u32).to_le_bytes()) {
        let x = if op == AluOp::UDot4 { i32::from(x) } else { i32::from(x as i8) };
        let y = if op == AluOp::SDot4 { i32::from(y as i8) } else { i32::from(y) };
        sum = sum.wrapping_add(x * y);
    }
    u64::from(sum as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(op: AluOp, t: Type, args: &[u64]) -> u64 {
        let types = vec![t; args.len()];
        let result = if op.shape() == AluShape::IntCmp { Type::Bool } else { t };
        eval(op, &types, result, args, &FloatControls::default())
    }

    #[test]
    fn division_never_traps() {
        for t in [Type::I8, Type::I16, Type::I32, Type::I64] {
            let min = 1 << (t.bits() - 1);
            let m = t.mask();
            assert_eq!(int(AluOp::UDiv, t, &[5, 0]), m);
            assert_eq!(int(AluOp::SDiv, t, &[5, 0]), m);
            assert_eq!(int(AluOp::SDiv, t, &[min, m]), min);
            assert_eq!(int(AluOp::SRem, t, &[min, m]), 0);
            assert_eq!(int(AluOp::SMod, t, &[min, m]), 0);
            assert_eq!(int(AluOp::URem, t, &[7, 0]), 7);
            assert_eq!(int(AluOp::SMod, t, &[m - 6, 3]), 2, "-7 mod 3");
            assert_eq!(int(AluOp::SRem, t, &[m - 6, 3]), m, "-7 rem 3");
            assert_eq!(int(AluOp::IAbs, t, &[min]), min);
        }
    }

    #[test]
    fn shifts_take_the_count_modulo_the_width() {
        assert_eq!(int(AluOp::Shl, Type::I8, &[1, 9]), 2);
        assert_eq!(int(AluOp::SShr, Type::I16, &[0x8000, 15]), 0xffff);
        assert_eq!(int(AluOp::UShr, Type::I64, &[u64::MAX, 64]), u64::MAX);
    }

    #[test]
    fn high_products_and_saturation() {
        assert_eq!(int(AluOp::UMulHi, Type::I32, &[0xffff_ffff, 0xffff_ffff]), 0xffff_fffe);
        assert_eq!(int(AluOp::SMulHi, Type::I32, &[0xffff_ffff, 2]), 0xffff_ffff);
        assert_eq!(int(AluOp::UMulHi, Type::I64, &[u64::MAX, u64::MAX]), u64::MAX - 1);
        assert_eq!(int(AluOp::SMulHi, Type::I8, &[0x80, 0x80]), 0x40);
        assert_eq!(int(AluOp::UAddSat, Type::I8, &[200, 100]), 255);
        assert_eq!(int(AluOp::SAddSat, Type::I8, &[0x80, 0x80]), 0x80);
        assert_eq!(int(AluOp::SAddSat, Type::I64, &[i64::MAX as u64, 1]), i64::MAX as u64);
    }

    #[test]
    fn bit_searches() {
        for t in [Type::I8, Type::I16, Type::I32, Type::I64] {
            let m = t.mask();
            assert_eq!(int(AluOp::FindLsb, t, &[0]), m);
            assert_eq!(int(AluOp::FindUMsb, t, &[0]), m);
            assert_eq!(int(AluOp::FindSMsb, t, &[m]), m);
            assert_eq!(int(AluOp::FindSMsb, t, &[m - 1]), 0);
            assert_eq!(int(AluOp::FindUMsb, t, &[m]), u64::from(t.bits()) - 1);
            assert_eq!(int(AluOp::BitReverse, t, &[1]), 1 << (t.bits() - 1));
            assert_eq!(int(AluOp::BitCount, t, &[m]), u64::from(t.bits()));
        }
    }

    #[test]
    fn fields() {
        let e = |op, t, args: &[u64]| eval(op, &[t, t, Type::I32, Type::I32], t, args, &FloatControls::default());
        assert_eq!(e(AluOp::UBitExtract, Type::I32, &[0xabcd_1234, 8, 8]), 0x12);
        assert_eq!(e(AluOp::SBitExtract, Type::I32, &[0xabcd_8234, 8, 8]), 0xffff_ff82);
        assert_eq!(e(AluOp::SBitExtract, Type::I32, &[0x8000_0000, 0, 32]), 0x8000_0000);
        assert_eq!(e(AluOp::UBitExtract, Type::I32, &[0xff, 0, 0]), 0);
        assert_eq!(e(AluOp::BitInsert, Type::I32, &[0xffff_ffff, 0, 4, 8]), 0xffff_f00f);
        assert_eq!(e(AluOp::BitInsert, Type::I64, &[0, u64::MAX, 0, 64]), u64::MAX);
        assert_eq!(e(AluOp::BitInsert, Type::I64, &[5, u64::MAX, 64, 1]), 5);
    }

    #[test]
    fn dots() {
        let e = |op, a, b| eval(op, &[Type::I32, Type::I32], Type::I32, &[a, b], &FloatControls::default());
        assert_eq!(e(AluOp::UDot4, 0xffff_ffff, 0xffff_ffff), 4 * 255 * 255);
        assert_eq!(e(AluOp::SDot4, 0xffff_ffff, 0xffff_ffff), 4);
        assert_eq!(e(AluOp::SUDot4, 0xffff_ffff, 0xffff_ffff), (-4 * 255i32) as u32 as u64);
    }
}
