//! What a GPU says of cooperative matrices.

use ash::vk;

/// VK_COMPONENT_TYPE_BFLOAT16_KHR, newer than the bindings.
pub const BFLOAT16: vk::ComponentTypeKHR = vk::ComponentTypeKHR::from_raw(1_000_141_000);
/// VK_COMPONENT_TYPE_FLOAT8_E4M3_EXT, newer than the bindings.
pub const FLOAT8_E4M3: vk::ComponentTypeKHR = vk::ComponentTypeKHR::from_raw(1_000_491_002);
/// VK_COMPONENT_TYPE_FLOAT8_E5M2_EXT, newer than the bindings.
pub const FLOAT8_E5M2: vk::ComponentTypeKHR = vk::ComponentTypeKHR::from_raw(1_000_491_003);

/// A kind of product: A·B + C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatrixProduct {
    /// Components of A.
    pub a: vk::ComponentTypeKHR,
    /// Components of B.
    pub b: vk::ComponentTypeKHR,
    /// Components of C and the result.
    pub result: vk::ComponentTypeKHR,
    /// Whether sums of integers are clamped to the result's range.
    pub saturating: bool,
}

/// Cooperative matrices of a GPU; the default: there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CooperativeMatrices {
    /// The products, of matrices of scope Subgroup.
    pub products: Vec<MatrixProduct>,
    /// M, N and K of every product.
    pub size: [u32; 3],
    /// Whether M, N and K may be multiples of `size` as well.
    pub multiples: bool,
    /// Largest M, N and K, if multiples are allowed.
    pub max_dimension: u32,
    /// Invocations of a workgroup that has matrices of scope Workgroup, with all the products; 0: there are no such matrices.
    pub workgroup_invocations: u32,
    /// Workgroup memory in bytes that such matrices need.
    pub workgroup_memory: u32,
    /// Whether accesses of matrices are bounds-checked like others.
    pub robust: bool,
}

impl CooperativeMatrices {
    /// Whether there are any.
    pub fn any(&self) -> bool {
        !self.products.is_empty()
    }
}
