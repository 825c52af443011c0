// target: vulkan1.3
// variant: bench_matrix_half IN=float16_t OUT=float MATRIX=1
// variant: bench_matrix_byte IN=int8_t OUT=int MATRIX=1
// variant: bench_plain_half IN=float16_t OUT=float
// variant: bench_plain_byte IN=int8_t OUT=int
// C = A·B of S×S: with cooperative matrices, 16×16 of C per subgroup; or the usual way, by tiles of
// 16×16 in workgroup memory, one element per invocation.
#version 450
#pragma use_vulkan_memory_model
#extension GL_KHR_cooperative_matrix : enable
#extension GL_KHR_memory_scope_semantics : enable
#extension GL_KHR_shader_subgroup_basic : enable
#extension GL_EXT_shader_explicit_arithmetic_types : enable
layout(local_size_x_id = 0, local_size_y_id = 1) in;
layout(constant_id = 2) const uint S = 256;
layout(set = 0, binding = 0) buffer A { IN a[]; };
layout(set = 0, binding = 1) buffer B { IN b[]; };
layout(set = 0, binding = 2) buffer C { OUT c[]; };
#ifdef MATRIX
void main() {
    uint row = gl_WorkGroupID.y * 16, col = gl_WorkGroupID.x * 16;
    coopmat<OUT, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator> sum =
        coopmat<OUT, gl_ScopeSubgroup, 16, 16, gl_MatrixUseAccumulator>(0);
    for (uint k = 0; k < S; k += 16) {
        coopmat<IN, gl_ScopeSubgroup, 16, 16, gl_MatrixUseA> x;
        coopmat<IN, gl_ScopeSubgroup, 16, 16, gl_MatrixUseB> y;
        coopMatLoad(x, a, row * S + k, S, gl_CooperativeMatrixLayoutRowMajor);
        coopMatLoad(y, b, k * S + col, S, gl_CooperativeMatrixLayoutRowMajor);
        sum = coopMatMulAdd(x, y, sum);
    }
    coopMatStore(sum, c, row * S + col, S, gl_CooperativeMatrixLayoutRowMajor);
}
#else
shared IN x[16][16];
shared IN y[16][16];
void main() {
    uint row = gl_GlobalInvocationID.y, col = gl_GlobalInvocationID.x;
    uint i = gl_LocalInvocationID.y, j = gl_LocalInvocationID.x;
    OUT sum = OUT(0);
    for (uint k = 0; k < S; k += 16) {
        x[i][j] = a[row * S + k + j];
        y[i][j] = b[(k + i) * S + col];
        barrier();
        for (uint n = 0; n < 16; ++n) sum += OUT(x[i][n]) * OUT(y[n][j]);
        barrier();
    }
    c[row * S + col] = sum;
}
#endif
