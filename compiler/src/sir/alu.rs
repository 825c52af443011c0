//! Lane-wise operations: pure functions of their operands.

/// How operand and result types of an [`AluOp`] relate; the verifier checks it. `T` is the type of the first operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AluShape {
    /// (T, …) → T, T integer.
    Int(u8),
    /// (T, …) → T, T integer or Bool.
    IntBool(u8),
    /// (T, …) → T, T floating point.
    Float(u8),
    /// (T, T) → Bool, T integer (or Bool for `ieq`/`ine`).
    IntCmp,
    /// (T, …) → Bool, T floating point.
    FloatCmp(u8),
    /// (T, I32) → T, T integer: shifts; the count may be any integer type.
    Shift,
    /// (T, T, I32, I32) → T: `bfi`; (T, I32, I32) → T: bit-field extracts.
    BitField(u8),
    /// (T float, I32) → T: `fldexp`.
    Ldexp,
    /// (T float) → I32: `ffrexp_exp`.
    FrexpExp,
    /// (T) → U with T, U as the particular operation says; the result type is that of the result value.
    Convert,
    /// (Bool, T, T) → T for any T.
    Select,
    /// (I32, I32) → I32: packed dot products.
    Dot,
}

impl AluShape {
    /// Number of operands.
    pub const fn arity(self) -> usize {
        match self {
            AluShape::Int(n)
            | AluShape::IntBool(n)
            | AluShape::Float(n)
            | AluShape::FloatCmp(n)
            | AluShape::BitField(n) => n as usize,
            AluShape::IntCmp | AluShape::Shift | AluShape::Ldexp | AluShape::Dot => 2,
            AluShape::FrexpExp | AluShape::Convert => 1,
            AluShape::Select => 3,
        }
    }
}

impl AluOp {
    /// Whether this is a transcendental function. They exist for F16 and F32 only, as in GLSL.std.450.
    pub const fn is_transcendental(self) -> bool {
        matches!(
            self,
            AluOp::FExp2
                | AluOp::FExp
                | AluOp::FLog2
                | AluOp::FLog
                | AluOp::FPow
                | AluOp::FSin
                | AluOp::FCos
                | AluOp::FTan
                | AluOp::FAsin
                | AluOp::FAcos
                | AluOp::FAtan
                | AluOp::FAtan2
                | AluOp::FSinh
                | AluOp::FCosh
                | AluOp::FTanh
                | AluOp::FAsinh
                | AluOp::FAcosh
                | AluOp::FAtanh
        )
    }

    /// Whether the rounding mode of the float controls applies: the correctly rounded operations, and what is made of
    /// them. (Conversions to a float type round as that type's controls say.)
    pub const fn rounds_as_controlled(self) -> bool {
        matches!(
            self,
            AluOp::FAdd
                | AluOp::FSub
                | AluOp::FMul
                | AluOp::FDiv
                | AluOp::Fma
                | AluOp::FSqrt
                | AluOp::FRem
                | AluOp::FMod
        )
    }

    /// Whether this floating-point operation has a form for the float type.
    pub fn has_width(self, ty: super::Type) -> bool {
        match self {
            AluOp::FQuantize16 | AluOp::FScale | AluOp::FScaleAny | AluOp::FExponent | AluOp::FSignificand => {
                ty == super::Type::F32
            }
            op => !op.is_transcendental() || ty != super::Type::F64,
        }
    }
}

macro_rules! alu_ops {
    ($( $(#[$doc:meta])* $name:ident = $text:literal, $shape:expr; )*) => {
        /// A lane-wise operation. The documentation of each is its exact meaning, which the interpreter implements.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum AluOp { $( $(#[$doc])* $name, )* }

        impl AluOp {
            /// Every operation, in table order.
            pub const ALL: &'static [AluOp] = &[$(AluOp::$name),*];

            /// Name in the text form.
            pub const fn name(self) -> &'static str {
                match self { $(AluOp::$name => $text),* }
            }

            /// Operand and result types.
            pub const fn shape(self) -> AluShape {
                match self { $(AluOp::$name => $shape),* }
            }

            /// The operation of that text name.
            pub fn from_name(name: &str) -> Option<AluOp> {
                AluOp::ALL.iter().copied().find(|op| op.name() == name)
            }
        }
    };
}

use AluShape::{BitField, Convert, Dot, Float, FloatCmp, FrexpExp, Int, IntBool, IntCmp, Ldexp, Select as Sel, Shift};

alu_ops! {
    // ---- integers (two's complement, wrapping) ----
    /// a + b, wrapping.
    IAdd = "iadd", Int(2);
    /// a − b, wrapping.
    ISub = "isub", Int(2);
    /// a · b, low half.
    IMul = "imul", Int(2);
    /// High half of the unsigned product.
    UMulHi = "umulhi", Int(2);
    /// High half of the signed product.
    SMulHi = "smulhi", Int(2);
    /// −a, wrapping.
    INeg = "ineg", Int(1);
    /// |a|, wrapping (the minimum stays itself).
    IAbs = "iabs", Int(1);
    /// −1, 0 or 1 by sign.
    ISign = "isign", Int(1);
    /// Unsigned quotient; division by 0 gives all ones.
    UDiv = "udiv", Int(2);
    /// Signed quotient towards zero; division by 0 gives −1; MIN / −1 = MIN.
    SDiv = "sdiv", Int(2);
    /// Unsigned remainder; by 0 gives a.
    URem = "urem", Int(2);
    /// Remainder with the sign of a; by 0 gives a; MIN rem −1 = 0.
    SRem = "srem", Int(2);
    /// Remainder with the sign of b; by 0 gives a; MIN mod −1 = 0.
    SMod = "smod", Int(2);
    /// Bitwise and.
    And = "and", IntBool(2);
    /// Bitwise or.
    Or = "or", IntBool(2);
    /// Bitwise exclusive or.
    Xor = "xor", IntBool(2);
    /// Bitwise complement.
    Not = "not", IntBool(1);
    /// Shift left; the count is taken modulo the width.
    Shl = "shl", Shift;
    /// Logical shift right; the count is taken modulo the width.
    UShr = "ushr", Shift;
    /// Arithmetic shift right; the count is taken modulo the width.
    SShr = "sshr", Shift;
    /// Signed minimum.
    SMin = "smin", Int(2);
    /// Signed maximum.
    SMax = "smax", Int(2);
    /// Unsigned minimum.
    UMin = "umin", Int(2);
    /// Unsigned maximum.
    UMax = "umax", Int(2);
    /// Unsigned saturating addition.
    UAddSat = "uaddsat", Int(2);
    /// Signed saturating addition.
    SAddSat = "saddsat", Int(2);
    /// Number of one bits.
    BitCount = "bitcount", Int(1);
    /// Bits in opposite order.
    BitReverse = "bitreverse", Int(1);
    /// Index of the lowest one bit, all ones for 0.
    FindLsb = "findlsb", Int(1);
    /// Index of the highest one bit, all ones for 0.
    FindUMsb = "findumsb", Int(1);
    /// Index of the highest bit that differs from the sign, all ones for 0 and −1.
    FindSMsb = "findsmsb", Int(1);
    /// base, insert, offset, count: bits [offset, offset+count) of base replaced by the low bits of insert. Out of
    /// range offsets and counts give an unspecified value without trapping: both are clamped to the width.
    BitInsert = "bfi", BitField(4);
    /// base, offset, count: zero-extended field; count 0 gives 0; clamped as `bfi`.
    UBitExtract = "ubfe", BitField(3);
    /// base, offset, count: sign-extended field; count 0 gives 0; clamped as `bfi`.
    SBitExtract = "sbfe", BitField(3);
    /// Equal (integers or Bool).
    IEq = "ieq", IntCmp;
    /// Not equal (integers or Bool).
    INe = "ine", IntCmp;
    /// Unsigned less.
    ULt = "ult", IntCmp;
    /// Unsigned less or equal.
    ULe = "ule", IntCmp;
    /// Signed less.
    SLt = "slt", IntCmp;
    /// Signed less or equal.
    SLe = "sle", IntCmp;
    /// Signed 4×8-bit dot product of two packed words.
    SDot4 = "sdot4", Dot;
    /// Unsigned 4×8-bit dot product of two packed words.
    UDot4 = "udot4", Dot;
    /// Signed (a) by unsigned (b) 4×8-bit dot product of two packed words.
    SUDot4 = "sudot4", Dot;

    // ---- floating point (IEEE, round to nearest even, denormals kept unless float controls say otherwise) ----
    /// a + b.
    FAdd = "fadd", Float(2);
    /// a − b.
    FSub = "fsub", Float(2);
    /// a · b.
    FMul = "fmul", Float(2);
    /// a / b, correctly rounded.
    FDiv = "fdiv", Float(2);
    /// a − b·trunc(a/b), in two roundings: of the quotient (for F16 as F32) and of the result.
    FRem = "frem", Float(2);
    /// a − b·floor(a/b), rounded like `FRem`.
    FMod = "fmod", Float(2);
    /// −a (sign bit flipped).
    FNeg = "fneg", Float(1);
    /// |a| (sign bit cleared).
    FAbs = "fabs", Float(1);
    /// −1, ±0 or 1 by sign; NaN gives 0.
    FSign = "fsign", Float(1);
    /// a·b + c with one rounding.
    Fma = "fma", Float(3);
    /// Minimum; if one operand is NaN the other one.
    FMin = "fmin", Float(2);
    /// Maximum; if one operand is NaN the other one.
    FMax = "fmax", Float(2);
    /// Largest integral value ≤ a.
    FFloor = "ffloor", Float(1);
    /// Smallest integral value ≥ a.
    FCeil = "fceil", Float(1);
    /// Towards zero to integral.
    FTrunc = "ftrunc", Float(1);
    /// To nearest integral, halves to even.
    FRoundEven = "froundeven", Float(1);
    /// Square root, correctly rounded.
    FSqrt = "fsqrt", Float(1);
    /// 1/√a.
    FRsqrt = "frsqrt", Float(1);
    /// 2^a.
    FExp2 = "fexp2", Float(1);
    /// e^a.
    FExp = "fexp", Float(1);
    /// Base-2 logarithm.
    FLog2 = "flog2", Float(1);
    /// Natural logarithm.
    FLog = "flog", Float(1);
    /// a^b as GLSL's pow.
    FPow = "fpow", Float(2);
    /// Sine of radians.
    FSin = "fsin", Float(1);
    /// Cosine of radians.
    FCos = "fcos", Float(1);
    /// Tangent of radians.
    FTan = "ftan", Float(1);
    /// Arc sine.
    FAsin = "fasin", Float(1);
    /// Arc cosine.
    FAcos = "facos", Float(1);
    /// Arc tangent.
    FAtan = "fatan", Float(1);
    /// Arc tangent of a/b by quadrant (a = y, b = x).
    FAtan2 = "fatan2", Float(2);
    /// Hyperbolic sine, (e^a − e^−a) / 2; for F32 and F64 it overflows where e^|a| does.
    FSinh = "fsinh", Float(1);
    /// Hyperbolic cosine, (e^a + e^−a) / 2; for F32 and F64 it overflows where e^|a| does.
    FCosh = "fcosh", Float(1);
    /// Hyperbolic tangent.
    FTanh = "ftanh", Float(1);
    /// Inverse hyperbolic sine.
    FAsinh = "fasinh", Float(1);
    /// Inverse hyperbolic cosine.
    FAcosh = "facosh", Float(1);
    /// Inverse hyperbolic tangent.
    FAtanh = "fatanh", Float(1);
    /// a · 2^b.
    FLdexp = "fldexp", Ldexp;
    /// a · 2^b, rounded once, for |a| in [½, 2] or NaN and an integral b in [−252, 252]; nothing is said of others. F32 only.
    /// Exponentials are made of it.
    FScale = "fscale", Float(2);
    /// a · 2^⌊b⌋, rounded once, for any numbers. An infinite b decides even where a is NaN: ∞, or 0 for −∞. F32 only.
    FScaleAny = "fscale_any", Float(2);
    /// ⌊log2 |a|⌋ as a number, also of denormals; −∞ for 0, ∞ for infinities. F32 only.
    FExponent = "fexponent", Float(1);
    /// a / 2^⌊log2 a⌋ in [1, 2), also of denormals; 1 for ∞, ±1 for ±0, NaN for what is less than 0. F32 only.
    FSignificand = "fsignificand", Float(1);
    /// Significand of a in ±[0.5, 1); 0 for 0.
    FFrexpMant = "ffrexp_mant", Float(1);
    /// Exponent that goes with `ffrexp_mant`; 0 for 0.
    FFrexpExp = "ffrexp_exp", FrexpExp;
    /// Rounded to binary16 precision and back, denormal results flushed to zero (OpQuantizeToF16). F32 only.
    FQuantize16 = "fquantize16", Float(1);
    /// Ordered equal.
    FEq = "feq", FloatCmp(2);
    /// Unordered or not equal (the complement of `feq`).
    FNe = "fne", FloatCmp(2);
    /// Ordered less.
    FLt = "flt", FloatCmp(2);
    /// Ordered less or equal.
    FLe = "fle", FloatCmp(2);
    /// Whether a is NaN.
    FIsNan = "fisnan", FloatCmp(1);
    /// Whether a is infinite.
    FIsInf = "fisinf", FloatCmp(1);

    // ---- conversions (result type from the result value) ----
    /// Integer to narrower integer, high bits dropped.
    ITrunc = "itrunc", Convert;
    /// Integer (or Bool) to wider integer with zeros.
    ZExt = "zext", Convert;
    /// Integer to wider integer with copies of the sign bit.
    SExt = "sext", Convert;
    /// Float to signed integer towards zero; out of range saturates, NaN gives 0.
    FToS = "ftos", Convert;
    /// Float to unsigned integer towards zero; out of range saturates, NaN gives 0.
    FToU = "ftou", Convert;
    /// Signed integer to float, nearest even.
    SToF = "stof", Convert;
    /// Unsigned integer to float, nearest even.
    UToF = "utof", Convert;
    /// Float to float of another width, nearest even.
    FConv = "fconv", Convert;
    /// F32 (or F64) to narrower float, towards zero.
    FConvRtz = "fconv_rtz", Convert;
    /// 2^(i/32) for the low five bits i of an I32, as F32 (see [`super::tables`]).
    TableExp2 = "table_exp2", Convert;
    /// What `table_exp2` lacks, as a part of it: 2^(i/32) is table_exp2 · (1 + table_exp2_rest).
    TableExp2Rest = "table_exp2_rest", Convert;
    /// The reciprocal of about the middle of [1 + i/32, 1 + (i+1)/32), for the low five bits i of an I32, as F32.
    TableReciprocal = "table_reciprocal", Convert;
    /// −log2 of what `table_reciprocal` gives, for the low five bits i of an I32, as F32.
    TableLog2 = "table_log2", Convert;
    /// Same bits, other type of the same width.
    Bitcast = "bitcast", Convert;
    /// condition, if true, if false.
    Select = "select", Sel;
}
