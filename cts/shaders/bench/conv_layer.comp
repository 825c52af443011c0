#version 450
// A layer of a network: 3×3 convolution of 16 channels to 16 with bias and ReLU; planes of n×n with a border of one.
layout(local_size_x = 16, local_size_y = 4) in;
layout(std430, binding = 0) readonly buffer A { float a[]; };
layout(std430, binding = 1) readonly buffer W { float w[]; };
layout(std430, binding = 2) writeonly buffer B { float b[]; };
layout(push_constant) uniform P { uint n; };
void main() {
    uint x = gl_GlobalInvocationID.x, y = gl_GlobalInvocationID.y, o = gl_GlobalInvocationID.z;
    uint m = n + 2;
    float sum = w[16 * 16 * 9 + o];
    for (uint c = 0; c < 16; ++c) {
        for (uint j = 0; j < 3; ++j) {
            for (uint i = 0; i < 3; ++i) {
                sum += a[(c * m + y + j) * m + x + i] * w[(o * 16 + c) * 9 + j * 3 + i];
            }
        }
    }
    b[(o * n + y) * n + x] = max(sum, 0.0);
}
