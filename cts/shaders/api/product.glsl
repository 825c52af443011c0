// target: vulkan1.3
// variant: product_half IN=float16_t OUT=float
// variant: product_byte IN=int8_t OUT=int
#version 450
#pragma use_vulkan_memory_model
#extension GL_KHR_cooperative_matrix : enable
#extension GL_KHR_memory_scope_semantics : enable
#extension GL_KHR_shader_subgroup_basic : enable
#extension GL_EXT_shader_explicit_arithmetic_types : enable
layout(local_size_x_id = 0) in;
layout(constant_id = 1) const int M = 1;
layout(constant_id = 2) const int N = 1;
layout(constant_id = 3) const int K = 1;
layout(set = 0, binding = 0) buffer A { IN a[]; };
layout(set = 0, binding = 1) buffer B { IN b[]; };
layout(set = 0, binding = 2) buffer C { OUT c[]; };
// Rows of A are next to each other, columns of B are; C is added to and overwritten.
void main() {
    coopmat<IN, gl_ScopeSubgroup, M, K, gl_MatrixUseA> x;
    coopmat<IN, gl_ScopeSubgroup, K, N, gl_MatrixUseB> y;
    coopmat<OUT, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator> sum;
    coopMatLoad(x, a, 0, K, gl_CooperativeMatrixLayoutRowMajor);
    coopMatLoad(y, b, 0, K, gl_CooperativeMatrixLayoutColumnMajor);
    coopMatLoad(sum, c, 0, N, gl_CooperativeMatrixLayoutRowMajor);
    sum = coopMatMulAdd(x, y, sum);
    for (int i = 0; i < sum.length(); ++i) sum[i] += OUT(1);
    coopMatStore(sum, c, 0, N, gl_CooperativeMatrixLayoutRowMajor);
}
