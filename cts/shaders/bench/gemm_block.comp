// variant: gemm_block T=float
// variant: gemm_block_f16 T=float16_t
#version 450
#extension GL_EXT_shader_explicit_arithmetic_types : enable
// C = A·B with 64×64 of C per workgroup and 4×4 of it in the registers of each invocation.
layout(local_size_x = 16, local_size_y = 16) in;
layout(std430, binding = 0) readonly buffer A { T a[]; };
layout(std430, binding = 1) readonly buffer B { T b[]; };
layout(std430, binding = 2) writeonly buffer C { float c[]; };
layout(push_constant) uniform P { uint n; };
shared float x[64][17];
shared float y[16][64];
void main() {
    uint tx = gl_LocalInvocationID.x, ty = gl_LocalInvocationID.y;
    uint row = gl_WorkGroupID.y * 64, col = gl_WorkGroupID.x * 64;
    float sum[4][4];
    for (uint i = 0; i < 4; ++i) {
        for (uint j = 0; j < 4; ++j) {
            sum[i][j] = 0.0;
        }
    }
    for (uint k = 0; k < n; k += 16) {
        for (uint r = 0; r < 4; ++r) {
            x[ty + 16 * r][tx] = float(a[(row + ty + 16 * r) * n + k + tx]);
            y[ty][tx + 16 * r] = float(b[(k + ty) * n + col + tx + 16 * r]);
        }
        barrier();
        for (uint m = 0; m < 16; ++m) {
            float p[4], q[4];
            for (uint r = 0; r < 4; ++r) {
                p[r] = x[ty * 4 + r][m];
                q[r] = y[m][tx + 16 * r];
            }
            for (uint i = 0; i < 4; ++i) {
                for (uint j = 0; j < 4; ++j) {
                    sum[i][j] += p[i] * q[j];
                }
            }
        }
        barrier();
    }
    for (uint i = 0; i < 4; ++i) {
        for (uint j = 0; j < 4; ++j) {
            c[(row + ty * 4 + i) * n + col + tx + 16 * j] = sum[i][j];
        }
    }
}
