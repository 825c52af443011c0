// Needs a glslangValidator of 2025 or later: see build.sh.
#version 450
#pragma use_vulkan_memory_model
#extension GL_KHR_cooperative_matrix : enable
#extension GL_NV_cooperative_matrix2 : enable
#extension GL_KHR_memory_scope_semantics : enable
#extension GL_KHR_shader_subgroup_basic : enable
#extension GL_EXT_shader_explicit_arithmetic_types : enable
#extension GL_EXT_buffer_reference : enable
layout(local_size_x = 32) in;
layout(set = 0, binding = 0) buffer A { int a[]; };
layout(set = 0, binding = 1) buffer O { int o[]; };
#define ACC(m, n) coopmat<int, gl_ScopeSubgroup, m, n, gl_MatrixUseAccumulator>
int add(const in int x, const in int y) { return x + y; }
int least(const in int x, const in int y) { return min(x, y); }
int where(const in uint32_t row, const in uint32_t col, const in int x, const in int k, const in int other) {
    return x * k + int(row * 100 + col) + other;
}
void main() {
    ACC(16, 48) m;
    coopMatLoad(m, a, 0, 48, gl_CooperativeMatrixLayoutRowMajor);
    ACC(16, 16) rows;
    coopMatReduceNV(rows, m, gl_CooperativeMatrixReduceRowNV, add);
    coopMatStore(rows, o, 0, 16, gl_CooperativeMatrixLayoutRowMajor);
    ACC(32, 48) columns;
    coopMatReduceNV(columns, m, gl_CooperativeMatrixReduceColumnNV, least);
    coopMatStore(columns, o, 256, 48, gl_CooperativeMatrixLayoutRowMajor);
    ACC(32, 32) all;
    coopMatReduceNV(all, m, gl_CooperativeMatrixReduceRowAndColumnNV, add);
    coopMatStore(all, o, 1792, 32, gl_CooperativeMatrixLayoutRowMajor);
    ACC(32, 32) big;
    coopMatLoad(big, a, 0, 32, gl_CooperativeMatrixLayoutRowMajor);
    ACC(16, 16) quarter;
    coopMatReduceNV(quarter, big, gl_CooperativeMatrixReduce2x2NV, add);
    coopMatStore(quarter, o, 2816, 16, gl_CooperativeMatrixLayoutRowMajor);
    coopmat<int, gl_ScopeSubgroup, 48, 16, gl_MatrixUseB> turned;
    coopMatTransposeNV(turned, m);
    coopMatStore(turned, o, 3072, 16, gl_CooperativeMatrixLayoutRowMajor);
    ACC(16, 48) each;
    coopMatPerElementNV(each, m, where, 3, m);
    coopMatStore(coopmat<int, gl_ScopeSubgroup, 16, 48, gl_MatrixUseA>(each), o, 3840, 48, gl_CooperativeMatrixLayoutRowMajor);
}
