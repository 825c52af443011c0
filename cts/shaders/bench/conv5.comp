#version 450
// Convolution of a picture of n×n with 5×5 weights from a uniform buffer; the picture goes on with its border texel.
layout(local_size_x = 16, local_size_y = 16) in;
layout(std430, binding = 0) readonly buffer A { float a[]; };
layout(std430, binding = 1) writeonly buffer B { float b[]; };
layout(std140, binding = 2) uniform W { vec4 w[7]; };
layout(push_constant) uniform P { int n; };
void main() {
    ivec2 p = ivec2(gl_GlobalInvocationID.xy);
    float sum = 0.0;
    for (int j = 0; j < 5; ++j) {
        for (int i = 0; i < 5; ++i) {
            ivec2 q = clamp(p + ivec2(i - 2, j - 2), ivec2(0), ivec2(n - 1));
            int k = j * 5 + i;
            sum += a[q.y * n + q.x] * w[k / 4][k % 4];
        }
    }
    b[p.y * n + p.x] = sum;
}
