#version 450
// out[i] = a[i] * scale + b[i]: storage, storage, uniform, storage.
layout(local_size_x = 32) in;
layout(std430, binding = 0) readonly buffer A { uint a[]; };
layout(std430, binding = 1) readonly buffer B { uint b[]; };
layout(std140, binding = 2) uniform S { uint scale; uint count; };
layout(std430, binding = 3) buffer O { uint o[]; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i < count) o[i] = a[i] * scale + b[i];
}
