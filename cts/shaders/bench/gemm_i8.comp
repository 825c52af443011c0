#version 450
#extension GL_EXT_spirv_intrinsics : require
// C = A·Bᵀ of signed bytes, four in a word, by tiles of 16×16 words in workgroup memory; n is in words.
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019], id = 4450)
int dot4(int a, int b, spirv_literal int format);
layout(local_size_x = 16, local_size_y = 16) in;
layout(std430, binding = 0) readonly buffer A { int a[]; };
layout(std430, binding = 1) readonly buffer B { int b[]; };
layout(std430, binding = 2) writeonly buffer C { int c[]; };
layout(push_constant) uniform P { uint n; };
shared int x[16][17];
shared int y[16][17];
void main() {
    uint row = gl_GlobalInvocationID.y, col = gl_GlobalInvocationID.x;
    uint i = gl_LocalInvocationID.y, j = gl_LocalInvocationID.x;
    int sum = 0;
    for (uint k = 0; k < n; k += 16) {
        x[i][j] = a[row * n + k + j];
        y[j][i] = b[(gl_WorkGroupID.x * 16 + i) * n + k + j];
        barrier();
        for (uint m = 0; m < 16; ++m) {
            sum += dot4(x[i][m], y[m][j], 0);
        }
        barrier();
    }
    c[row * n * 4 + col] = sum;
}
