//! What kinds of cooperative matrices there are.

use crate::edge::{InOut, OutArray};
use crate::generated::types;
use crate::objects::PhysicalDevice;
use ash::vk;
use runtime::gpu::MatrixProduct;

pub fn get_physical_device_cooperative_matrix_properties_khr(
    pd: &PhysicalDevice,
    out: OutArray<'_, vk::CooperativeMatrixPropertiesKHR<'_>>,
) -> vk::Result {
    let m = &pd.rt.props().matrices;
    out.fill(m.products.len(), |i, mut p: InOut<'_, vk::CooperativeMatrixPropertiesKHR<'_>>| {
        let kind = m.products[i];
        [p.m_size, p.n_size, p.k_size] = m.size;
        (p.a_type, p.b_type, p.c_type, p.result_type) = (kind.a, kind.b, kind.result, kind.result);
        p.saturating_accumulation = kind.saturating.into();
        p.scope = vk::ScopeKHR::SUBGROUP;
    })
}

/// The older extension knows neither saturation nor floating-point formats without arithmetic.
fn known_to_nv(kind: &MatrixProduct) -> bool {
    let old = |t: vk::ComponentTypeKHR| t.as_raw() <= vk::ComponentTypeKHR::UINT64.as_raw();
    !kind.saturating && old(kind.a) && old(kind.b) && old(kind.result)
}

pub fn get_physical_device_cooperative_matrix_properties_nv(
    pd: &PhysicalDevice,
    out: OutArray<'_, vk::CooperativeMatrixPropertiesNV<'_>>,
) -> vk::Result {
    let m = &pd.rt.props().matrices;
    let kinds: Vec<MatrixProduct> = m.products.iter().copied().filter(known_to_nv).collect();
    out.fill(kinds.len(), |i, mut p: InOut<'_, vk::CooperativeMatrixPropertiesNV<'_>>| {
        let kind = kinds[i];
        [p.m_size, p.n_size, p.k_size] = m.size;
        (p.a_type, p.b_type, p.c_type, p.d_type) = (kind.a, kind.b, kind.result, kind.result);
        p.scope = vk::ScopeKHR::SUBGROUP;
    })
}

pub fn get_physical_device_cooperative_matrix_flexible_dimensions_properties_nv(
    pd: &PhysicalDevice,
    out: OutArray<'_, types::CooperativeMatrixFlexibleDimensionsPropertiesNV<'_>>,
) -> vk::Result {
    let m = &pd.rt.props().matrices;
    let mut rows = Vec::new();
    if m.multiples {
        rows.extend(m.products.iter().map(|&kind| (kind, vk::ScopeKHR::SUBGROUP, 0)));
        if m.workgroup_invocations > 0 {
            let scope = vk::ScopeKHR::WORKGROUP;
            rows.extend(m.products.iter().map(|&kind| (kind, scope, m.workgroup_invocations)));
        }
    }
    out.fill(rows.len(), |i, mut p: InOut<'_, types::CooperativeMatrixFlexibleDimensionsPropertiesNV<'_>>| {
        let (kind, scope, invocations) = rows[i];
        [p.m_granularity, p.n_granularity, p.k_granularity] = m.size;
        (p.a_type, p.b_type, p.c_type, p.result_type) = (kind.a, kind.b, kind.result, kind.result);
        p.saturating_accumulation = kind.saturating.into();
        p.scope = scope;
        p.workgroup_invocations = invocations;
    })
}
