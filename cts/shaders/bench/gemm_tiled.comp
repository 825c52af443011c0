// target: vulkan1.1
// variant: gemm_tiled T=float
// variant: gemm_tiled_f16 T=float16_t
#version 450
#extension GL_EXT_shader_explicit_arithmetic_types : enable
// C = A·B by tiles of 16×16 in workgroup memory, one element per invocation; sums in 32 bits.
layout(local_size_x = 16, local_size_y = 16) in;
layout(std430, binding = 0) readonly buffer A { T a[]; };
layout(std430, binding = 1) readonly buffer B { T b[]; };
layout(std430, binding = 2) writeonly buffer C { float c[]; };
layout(push_constant) uniform P { uint n; };
shared float x[16][16];
shared float y[16][16];
void main() {
    uint row = gl_GlobalInvocationID.y, col = gl_GlobalInvocationID.x;
    uint i = gl_LocalInvocationID.y, j = gl_LocalInvocationID.x;
    float sum = 0.0;
    for (uint k = 0; k < n; k += 16) {
        x[i][j] = float(a[row * n + k + j]);
        y[i][j] = float(b[(k + i) * n + col]);
        barrier();
        for (uint m = 0; m < 16; ++m) {
            sum += x[i][m] * y[m][j];
        }
        barrier();
    }
    c[row * n + col] = sum;
}
