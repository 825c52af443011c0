#version 450
layout(local_size_x = 16) in;
layout(std430, binding = 0) buffer Out { float o[]; };
layout(std430, binding = 1) readonly buffer A { float a[]; };
layout(std430, binding = 2) readonly buffer B { float b[]; };
layout(push_constant) uniform Push { uint n; float scale; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= n) return;
    o[i] = a[i] + b[i] * scale;
}
