#version 450
// y = A·x with weights of four bits, 32 to a block with one scale, as language models store them. A row per workgroup.
layout(local_size_x = 64) in;
struct Block { float scale; uint q[4]; };
layout(std430, binding = 0) readonly buffer A { Block a[]; };
layout(std430, binding = 1) readonly buffer X { float x[]; };
layout(std430, binding = 2) writeonly buffer Y { float y[]; };
layout(push_constant) uniform P { uint blocks; };
shared float part[64];
void main() {
    uint row = gl_WorkGroupID.x, l = gl_LocalInvocationID.x;
    float sum = 0.0;
    for (uint k = l; k < blocks; k += 64) {
        uint at = row * blocks + k;
        float s = 0.0;
        for (uint w = 0; w < 4; ++w) {
            uint q = a[at].q[w];
            for (uint i = 0; i < 8; ++i) {
                s += float(int((q >> (4 * i)) & 15u) - 8) * x[k * 32 + w * 8 + i];
            }
        }
        sum += s * a[at].scale;
    }
    part[l] = sum;
    barrier();
    for (uint s = 32; s > 0; s >>= 1) {
        if (l < s) {
            part[l] += part[l + s];
        }
        barrier();
    }
    if (l == 0) {
        y[row] = part[0];
    }
}
