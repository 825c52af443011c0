#version 450
#extension GL_EXT_spirv_intrinsics : require
// C = A·Bᵀ of signed bytes, four in a word, with 64×64 of C per workgroup and 4×4 in registers; n is in words.
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019], id = 4450)
int dot4(int a, int b, spirv_literal int format);
layout(local_size_x = 16, local_size_y = 16) in;
layout(std430, binding = 0) readonly buffer A { int a[]; };
layout(std430, binding = 1) readonly buffer B { int b[]; };
layout(std430, binding = 2) writeonly buffer C { int c[]; };
layout(push_constant) uniform P { uint n; };
shared int x[64][17];
shared int y[16][65];
void main() {
    uint tx = gl_LocalInvocationID.x, ty = gl_LocalInvocationID.y;
    uint row = gl_WorkGroupID.y * 64, col = gl_WorkGroupID.x * 64;
    int sum[4][4];
    for (uint i = 0; i < 4; ++i) {
        for (uint j = 0; j < 4; ++j) {
            sum[i][j] = 0;
        }
    }
    for (uint k = 0; k < n; k += 16) {
        for (uint r = 0; r < 4; ++r) {
            x[ty + 16 * r][tx] = a[(row + ty + 16 * r) * n + k + tx];
            y[tx][ty + 16 * r] = b[(col + ty + 16 * r) * n + k + tx];
        }
        barrier();
        for (uint m = 0; m < 16; ++m) {
            int p[4], q[4];
            for (uint r = 0; r < 4; ++r) {
                p[r] = x[ty * 4 + r][m];
                q[r] = y[m][tx + 16 * r];
            }
            for (uint i = 0; i < 4; ++i) {
                for (uint j = 0; j < 4; ++j) {
                    sum[i][j] += dot4(p[i], q[j], 0);
                }
            }
        }
        barrier();
    }
    for (uint i = 0; i < 4; ++i) {
        for (uint j = 0; j < 4; ++j) {
            c[(row + ty * 4 + i) * n * 4 + col + tx + 16 * j] = sum[i][j];
        }
    }
}
