// Needs a glslangValidator of 2025 or later: see build.sh.
#version 450
#pragma use_vulkan_memory_model
#extension GL_KHR_cooperative_matrix : enable
#extension GL_NV_cooperative_matrix2 : enable
#extension GL_KHR_memory_scope_semantics : enable
#extension GL_KHR_shader_subgroup_basic : enable
#extension GL_EXT_shader_explicit_arithmetic_types : enable
layout(local_size_x = 16) in;
layout(set = 0, binding = 0) buffer A { int a[]; };
layout(set = 0, binding = 1) buffer O { int o[]; };
shared int used[64];
#define MAT(m, n, use) coopmat<int, gl_ScopeWorkgroup, m, n, use>
int add(const in int x, const in int y) { return x + y; }
void main() {
    used[gl_LocalInvocationIndex] = 1000;
    MAT(16, 48, gl_MatrixUseA) x;
    MAT(48, 32, gl_MatrixUseB) y;
    MAT(16, 32, gl_MatrixUseAccumulator) sum = MAT(16, 32, gl_MatrixUseAccumulator)(7);
    coopMatLoad(x, a, 0, 48, gl_CooperativeMatrixLayoutRowMajor);
    coopMatLoad(y, a, 768, 48, gl_CooperativeMatrixLayoutColumnMajor);
    sum = coopMatMulAdd(x, y, sum);
    coopMatStore(sum, o, 0, 32, gl_CooperativeMatrixLayoutRowMajor);
    MAT(16, 32, gl_MatrixUseAccumulator) rows;
    coopMatReduceNV(rows, sum, gl_CooperativeMatrixReduceRowNV, add);
    coopMatStore(rows, o, 512, 32, gl_CooperativeMatrixLayoutRowMajor);
    MAT(16, 16, gl_MatrixUseAccumulator) all;
    coopMatReduceNV(all, sum, gl_CooperativeMatrixReduceRowAndColumnNV, add);
    coopMatStore(all, o, 1024, 16, gl_CooperativeMatrixLayoutRowMajor);
    MAT(32, 16, gl_MatrixUseB) turned;
    coopMatTransposeNV(turned, sum);
    coopMatStore(turned, o, 1280, 16, gl_CooperativeMatrixLayoutRowMajor);
    // Every element is one invocation's.
    for (int i = 0; i < sum.length(); ++i) atomicAdd(o[1792], sum[i]);
    o[1793 + gl_LocalInvocationIndex] = used[gl_LocalInvocationIndex];
}
