#version 450
// The nearest of 32 centres in four dimensions.
layout(local_size_x = 128) in;
layout(std430, binding = 0) readonly buffer A { vec4 a[]; };
layout(std430, binding = 1) readonly buffer C { vec4 centre[]; };
layout(std430, binding = 2) writeonly buffer O { uint o[]; };
void main() {
    vec4 p = a[gl_GlobalInvocationID.x];
    float best = 3.4e38;
    uint at = 0;
    for (uint k = 0; k < 32; ++k) {
        vec4 d = p - centre[k];
        float r = dot(d, d);
        if (r < best) {
            best = r;
            at = k;
        }
    }
    o[gl_GlobalInvocationID.x] = at;
}
