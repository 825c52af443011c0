// Needs a glslangValidator of 2025 or later: see build.sh.
#version 450
#pragma use_vulkan_memory_model
#extension GL_KHR_cooperative_matrix : enable
#extension GL_KHR_memory_scope_semantics : enable
#extension GL_KHR_shader_subgroup_basic : enable
#extension GL_EXT_shader_explicit_arithmetic_types : enable
layout(local_size_x = 32) in;
layout(set = 0, binding = 0) buffer A { int8_t a[]; };
layout(set = 0, binding = 1) buffer B { uint8_t b[]; };
layout(set = 0, binding = 2) buffer C { int c[]; };
layout(set = 0, binding = 3) buffer O { int o[]; };
void main() {
    coopmat<int8_t, gl_ScopeSubgroup, 16, 16, gl_MatrixUseA> ma;
    coopmat<uint8_t, gl_ScopeSubgroup, 16, 16, gl_MatrixUseB> mb;
    coopmat<int, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator> mc;
    coopMatLoad(ma, a, 0, 16, gl_CooperativeMatrixLayoutRowMajor);
    coopMatLoad(mb, b, 0, 16, gl_CooperativeMatrixLayoutRowMajor);
    coopMatLoad(mc, c, 0, 16, gl_CooperativeMatrixLayoutRowMajor);
    coopmat<int, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator> wrap = coopMatMulAdd(ma, mb, mc);
    coopmat<int, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator> sat =
        coopMatMulAdd(ma, mb, mc, gl_MatrixOperandsSaturatingAccumulation);
    coopMatStore(wrap, o, 0, 16, gl_CooperativeMatrixLayoutRowMajor);
    coopMatStore(sat, o, 256, 16, gl_CooperativeMatrixLayoutRowMajor);
    coopmat<int8_t, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator> low =
        coopmat<int8_t, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator>(wrap);
    coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator> f =
        coopmat<float, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator>(low / coopmat<int8_t, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator>(int8_t(3))) ;
    coopMatStore(coopmat<int, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator>(f), o, 512, 16, gl_CooperativeMatrixLayoutRowMajor);
}
