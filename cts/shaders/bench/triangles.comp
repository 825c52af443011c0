#version 450
// The nearest of n triangles for each ray (Möller and Trumbore), without any tree; rays go along z.
layout(local_size_x = 8, local_size_y = 8) in;
struct Triangle { vec4 a; vec4 ab; vec4 ac; };
layout(std430, binding = 0) readonly buffer T { Triangle t[]; };
layout(std430, binding = 1) writeonly buffer O { uint o[]; };
layout(push_constant) uniform P { uint width; uint n; };
void main() {
    uvec2 p = gl_GlobalInvocationID.xy;
    vec3 origin = vec3(vec2(p) / float(width), -1.0);
    vec3 direction = vec3(0.0, 0.0, 1.0);
    float best = 1e30;
    uint hit = 0xffffffffu;
    for (uint k = 0; k < n; ++k) {
        vec3 ab = t[k].ab.xyz, ac = t[k].ac.xyz;
        vec3 h = cross(direction, ac);
        float det = dot(ab, h);
        if (abs(det) < 1e-9) {
            continue;
        }
        float f = 1.0 / det;
        vec3 s = origin - t[k].a.xyz;
        float u = f * dot(s, h);
        if (u < 0.0 || u > 1.0) {
            continue;
        }
        vec3 q = cross(s, ab);
        float v = f * dot(direction, q);
        if (v < 0.0 || u + v > 1.0) {
            continue;
        }
        float d = f * dot(ac, q);
        if (d > 0.0 && d < best) {
            best = d;
            hit = k;
        }
    }
    o[p.y * width + p.x] = hit;
}
