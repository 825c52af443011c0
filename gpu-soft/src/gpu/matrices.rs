//! Cooperative matrices of the software GPU: the compiler spreads a matrix over the lanes, so every combination of types that
//! has scalar arithmetic works, and sizes that fill the lanes of any subgroup.

use ash::vk;
use runtime::gpu::{CooperativeMatrices, MatrixProduct, BFLOAT16, FLOAT8_E4M3, FLOAT8_E5M2};
use vk::ComponentTypeKHR as T;

/// A dimension that is a multiple of this gives every lane of a subgroup, of whatever size, the same number of elements.
const GRAIN: u32 = 16;

/// Floating-point types of A and B with those of C and the result. Sums are made in 32 bits.
const FLOATS: [(T, &[T]); 5] = [
    (T::FLOAT16, &[T::FLOAT16, T::FLOAT32]),
    (T::FLOAT32, &[T::FLOAT32]),
    (BFLOAT16, &[BFLOAT16, T::FLOAT32]),
    (FLOAT8_E4M3, &[T::FLOAT16, T::FLOAT32]),
    (FLOAT8_E5M2, &[T::FLOAT16, T::FLOAT32]),
];

/// Integer types of A and B with those of C and the result, each with and without saturation. Products of two matrices of
/// signed bytes give 32 bits: the conformance tests read signed results of eight bits as unsigned ones, so they could not be
/// shown to be right.
const INTEGERS: [(T, T, &[T]); 8] = [
    (T::SINT8, T::SINT8, &[T::SINT32, T::UINT32]),
    (T::UINT8, T::UINT8, &[T::UINT32, T::SINT32, T::UINT8]),
    (T::SINT8, T::UINT8, &[T::SINT32, T::UINT32, T::SINT8]),
    (T::UINT8, T::SINT8, &[T::SINT32, T::UINT32, T::SINT8]),
    (T::SINT16, T::SINT16, &[T::SINT32, T::UINT32, T::SINT16]),
    (T::UINT16, T::UINT16, &[T::UINT32, T::SINT32, T::UINT16]),
    (T::SINT32, T::SINT32, &[T::SINT32, T::UINT32, T::UINT8]),
    (T::UINT32, T::UINT32, &[T::UINT32, T::SINT32, T::UINT8]),
];

/// The facts, for subgroups of this size.
pub fn matrices(subgroup: u32) -> CooperativeMatrices {
    let mut products = Vec::new();
    for (ab, results) in FLOATS {
        products.extend(results.iter().map(|&result| MatrixProduct { a: ab, b: ab, result, saturating: false }));
    }
    for saturating in [false, true] {
        for (a, b, results) in INTEGERS {
            products.extend(results.iter().map(|&result| MatrixProduct { a, b, result, saturating }));
        }
    }
    CooperativeMatrices {
        products,
        size: [GRAIN; 3],
        multiples: true,
        max_dimension: 256,
        workgroup_invocations: subgroup,
        workgroup_memory: 4096,
        robust: true,
    }
}
