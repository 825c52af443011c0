//! The numbers behind the `table_*` operations: what exponentials and logarithms begin with where a machine picks one of 32 numbers as
//! fast as it multiplies.

use super::AluOp;

/// Entries of a table; indices are taken modulo that.
pub const ENTRIES: usize = 32;

/// 2^(i/32), rounded.
const EXP2: [f32; ENTRIES] = [
    1.0,
    1.021_897_2,
    1.044_273_7,
    1.067_140_5,
    1.090_507_7,
    1.114_386_8,
    1.138_788_6,
    1.163_724_9,
    1.189_207_1,
    1.215_247_4,
    1.241_857_8,
    1.269_051,
    1.296_839_6,
    1.325_236_7,
    1.354_255_6,
    1.383_91,
    std::f32::consts::SQRT_2,
    1.445_180_8,
    1.476_826_2,
    1.509_164_5,
    1.542_210_8,
    1.575_980_9,
    1.610_490_3,
    1.645_755_5,
    1.681_792_9,
    1.718_619_3,
    1.756_252_2,
    1.794_709_1,
    1.834_008_1,
    1.874_167_7,
    1.915_206_6,
    1.957_144_1,
];

/// What they lack, in proportion to them: 2^(i/32) is EXP2[i] · (1 + EXP2_REST[i]).
const EXP2_REST: [f32; ENTRIES] = [
    0.0,
    -4.7084576e-08,
    4.628547e-08,
    -5.5604225e-08,
    -1.19921575e-08,
    -4.8776062e-08,
    4.7297824e-08,
    -3.4814427e-08,
    3.193418e-08,
    -2.6886665e-08,
    3.6210572e-08,
    1.118421e-09,
    -3.099072e-08,
    -2.638301e-08,
    -7.475213e-09,
    -4.2456357e-08,
    1.7114271e-08,
    2.3001967e-08,
    -3.0476834e-08,
    -1.6538538e-08,
    5.233334e-09,
    -3.5920646e-08,
    6.1075918e-09,
    -3.1140544e-08,
    -1.4719605e-08,
    -2.8218102e-08,
    -5.258795e-09,
    -6.3603873e-09,
    -6.1282597e-09,
    -2.4880409e-08,
    5.1406093e-09,
    -8.697267e-09,
];

/// Numbers near the reciprocals of the middles of [1 + i/32, 1 + (i+1)/32), chosen so that their logarithms are multiples of 2⁻¹⁶ to
/// within 2⁻³⁰. The first and the last are exact, so that logarithms of numbers near 1 have all their digits: of those a
/// little less than 1, too, whose −1 + 1 is 0.
const RECIPROCAL: [f32; ENTRIES] = [
    1.0,
    0.954_862_5,
    0.928_431_9,
    0.901_597_5,
    0.877_401_95,
    0.854_967_24,
    0.829_062_76,
    0.809_001_27,
    0.790_561_56,
    0.770_274,
    0.753_107_2,
    0.735_560_2,
    0.719_806_25,
    0.704_307_8,
    0.688_480_1,
    0.673_114_84,
    0.659_479_1,
    0.646_495_5,
    0.633_640_2,
    0.622_849_5,
    0.610_219_1,
    0.596_821_37,
    0.587_614,
    0.576_740_26,
    0.567_758_6,
    0.556_321_86,
    0.546_402_7,
    0.538_952_7,
    0.530_071_56,
    0.520_433_25,
    0.511_954_7,
    0.5,
];

/// −log2 of them in units of 2⁻¹⁶: a sum with an exponent is exact.
const LOG2: [u32; ENTRIES] = [
    0, 4_367, 7_021, 9_794, 12_366, 14_815, 17_724, 20_040, 22_220, 24_678, 26_809, 29_038, 31_085, 33_143, 35_292,
    37_426, 39_361, 41_241, 43_140, 44_764, 46_701, 48_800, 50_270, 52_036, 53_520, 55_444, 57_145, 58_443, 60_014,
    61_749, 63_302, 65_536,
];

/// The table of an operation, if it is one of those.
pub const fn of(op: AluOp) -> Option<[f32; ENTRIES]> {
    match op {
        AluOp::TableExp2 => Some(EXP2),
        AluOp::TableExp2Rest => Some(EXP2_REST),
        AluOp::TableReciprocal => Some(RECIPROCAL),
        AluOp::TableLog2 => {
            let mut all = [0.0; ENTRIES];
            let mut i = 0;
            while i < ENTRIES {
                all[i] = LOG2[i] as f32 / 65_536.0;
                i += 1;
            }
            Some(all)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_what_they_say() {
        for i in 0..ENTRIES {
            let x = i as f64 / 32.0;
            assert_eq!(EXP2[i], x.exp2() as f32);
            let whole = f64::from(EXP2[i]) * (1.0 + f64::from(EXP2_REST[i]));
            assert!((whole - x.exp2()).abs() < 2f64.powi(-48), "{i}");
            let log2 = f64::from(LOG2[i]) / 65_536.0;
            assert!((log2 + f64::from(RECIPROCAL[i]).log2()).abs() < 2f64.powi(-30), "{i}");
            // What is left of a number times the reciprocal.
            for m in [1.0 + x, 1.0 + x + 1.0 / 32.0] {
                let r = m * f64::from(RECIPROCAL[i]) - 1.0;
                assert!((-1.0 / 64.0..=1.0 / 32.0).contains(&r), "{i}: {r}");
            }
        }
        assert_eq!((RECIPROCAL[0], LOG2[0]), (1.0, 0));
        assert_eq!((RECIPROCAL[31], LOG2[31]), (0.5, 65_536));
    }
}
