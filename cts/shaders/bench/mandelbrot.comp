#version 450
layout(local_size_x = 16, local_size_y = 16) in;
layout(std430, binding = 0) writeonly buffer O { uint o[]; };
layout(push_constant) uniform P { uint n; uint limit; };
void main() {
    uvec2 p = gl_GlobalInvocationID.xy;
    vec2 c = vec2(p) * (3.0 / float(n)) - vec2(2.25, 1.5);
    vec2 z = vec2(0.0);
    uint k = 0;
    while (k < limit && dot(z, z) < 4.0) {
        z = vec2(z.x * z.x - z.y * z.y, 2.0 * z.x * z.y) + c;
        ++k;
    }
    o[p.y * n + p.x] = k;
}
