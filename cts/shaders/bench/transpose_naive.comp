#version 450
layout(local_size_x = 16, local_size_y = 16) in;
layout(std430, binding = 0) readonly buffer A { float a[]; };
layout(std430, binding = 1) writeonly buffer B { float b[]; };
layout(push_constant) uniform P { uint n; };
void main() {
    uvec2 p = gl_GlobalInvocationID.xy;
    if (p.x < n && p.y < n) {
        b[p.x * n + p.y] = a[p.y * n + p.x];
    }
}
