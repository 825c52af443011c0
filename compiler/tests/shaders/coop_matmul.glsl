// Needs a glslangValidator of 2025 or later: see build.sh.
#version 450
#pragma use_vulkan_memory_model
#extension GL_KHR_cooperative_matrix : enable
#extension GL_KHR_memory_scope_semantics : enable
#extension GL_KHR_shader_subgroup_basic : enable
#extension GL_EXT_shader_explicit_arithmetic_types : enable
layout(local_size_x = 32) in;
layout(constant_id = 0) const int K = 16;
layout(set = 0, binding = 0) buffer A { float16_t a[]; };
layout(set = 0, binding = 1) buffer B { f16vec4 b[]; };
layout(set = 0, binding = 2) buffer C { float c[]; };
layout(set = 0, binding = 3) buffer O { float o[]; };
shared float16_t sa[16 * K];

coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator> twice(
    coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator> m) {
    if (gl_NumWorkGroups.x > 1000) return m;
    return m * 2.0;
}

void main() {
    for (uint i = gl_LocalInvocationIndex; i < 16 * K; i += 32) sa[i] = a[i];
    barrier();
    coopmat<float16_t, gl_ScopeSubgroup, 16, K, gl_MatrixUseA> ma;
    coopmat<float16_t, gl_ScopeSubgroup, K, 16, gl_MatrixUseB> mb[2];
    coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator> mc;
    coopMatLoad(ma, sa, 0, K, gl_CooperativeMatrixLayoutRowMajor);
    mb[0] = coopmat<float16_t, gl_ScopeSubgroup, K, 16, gl_MatrixUseB>(0.0);
    coopMatLoad(mb[1], b, 0, K / 4, gl_CooperativeMatrixLayoutColumnMajor);
    coopMatLoad(mc, c, 0, 16, gl_CooperativeMatrixLayoutRowMajor);
    for (int i = 0; i < 2; ++i) mc = coopMatMulAdd(ma, mb[i], mc);
    mc = twice(mc) - coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator>(1.0);
    for (int i = 0; i < mc.length(); ++i) mc[i] += float(mc.length() * gl_SubgroupSize);
    if (gl_SubgroupID == 0) coopMatStore(mc, o, 0, 16, gl_CooperativeMatrixLayoutColumnMajor);
}
