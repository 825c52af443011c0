#version 450
// A separate image and an immutable sampler.
layout(local_size_x = 4) in;
layout(binding = 0) uniform texture2D tex;
layout(binding = 1) uniform sampler samp;
layout(std430, binding = 2) buffer O { vec4 o[]; };
void main() {
    uint i = gl_LocalInvocationID.x;
    o[i] = textureLod(sampler2D(tex, samp), vec2((float(i) + 0.5) / 4.0, 0.5), 0.0);
}
