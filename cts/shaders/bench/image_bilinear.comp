#version 450
// Enlarges a picture by a half with a linear sampler.
layout(local_size_x = 16, local_size_y = 16) in;
layout(binding = 0) uniform sampler2D a;
layout(std430, binding = 1) writeonly buffer B { vec4 b[]; };
layout(push_constant) uniform P { uint n; };
void main() {
    uvec2 p = gl_GlobalInvocationID.xy;
    b[p.y * n + p.x] = textureLod(a, (vec2(p) + 0.5) / float(n), 0.0);
}
