#version 450
// 256 bins in a buffer, an atomic addition per element.
layout(local_size_x = 256) in;
layout(std430, binding = 0) readonly buffer A { uint a[]; };
layout(std430, binding = 1) buffer H { uint h[]; };
layout(push_constant) uniform P { uint n; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i < n) {
        atomicAdd(h[a[i] & 255u], 1);
    }
}
