#version 450
// A picture of four solids on a plane by sphere tracing: normals, a soft shadow, ambient occlusion, one reflection and fog. Also
// the program whose compilation is timed: about 200 lines, as applications have them.
layout(local_size_x = 16, local_size_y = 16) in;
layout(std430, binding = 0) writeonly buffer O { uint o[]; };
layout(push_constant) uniform P {
    uint width;
    uint height;
    float time;
};

const float FAR = 40.0;
const int STEPS = 96;

struct Hit {
    float distance;
    int material;
};

float sphere(vec3 p, float radius) {
    return length(p) - radius;
}

float box(vec3 p, vec3 size) {
    vec3 q = abs(p) - size;
    float outside = length(max(q, vec3(0.0)));
    float inside = min(max(q.x, max(q.y, q.z)), 0.0);
    return outside + inside;
}

float torus(vec3 p, vec2 radii) {
    vec2 q = vec2(length(p.xz) - radii.x, p.y);
    return length(q) - radii.y;
}

float capsule(vec3 p, vec3 a, vec3 b, float radius) {
    vec3 pa = p - a;
    vec3 ba = b - a;
    float h = clamp(dot(pa, ba) / dot(ba, ba), 0.0, 1.0);
    return length(pa - ba * h) - radius;
}

float smooth_union(float a, float b, float k) {
    float h = clamp(0.5 + 0.5 * (b - a) / k, 0.0, 1.0);
    return mix(b, a, h) - k * h * (1.0 - h);
}

vec3 turn_y(vec3 p, float angle) {
    float c = cos(angle);
    float s = sin(angle);
    return vec3(c * p.x + s * p.z, p.y, c * p.z - s * p.x);
}

Hit nearer(Hit a, Hit b) {
    if (a.distance < b.distance) {
        return a;
    }
    return b;
}

Hit scene(vec3 p) {
    Hit hit = Hit(p.y, 0);
    float ball = sphere(p - vec3(0.0, 1.0, 0.0), 1.0);
    float knob = sphere(p - vec3(0.7, 1.7, 0.3), 0.5);
    hit = nearer(hit, Hit(smooth_union(ball, knob, 0.3), 1));
    vec3 q = turn_y(p - vec3(2.5, 0.75, 0.5), time);
    hit = nearer(hit, Hit(box(q, vec3(0.6, 0.7, 0.6)) - 0.05, 2));
    vec3 r = p - vec3(-2.5, 0.6, 0.2);
    hit = nearer(hit, Hit(torus(r, vec2(0.8, 0.3)), 3));
    vec3 a = vec3(-0.8, 0.3, -1.6);
    vec3 b = vec3(1.2, 0.5, -2.0);
    hit = nearer(hit, Hit(capsule(p, a, b, 0.25), 4));
    return hit;
}

vec3 normal_at(vec3 p) {
    const float e = 0.002;
    float x = scene(p + vec3(e, 0.0, 0.0)).distance - scene(p - vec3(e, 0.0, 0.0)).distance;
    float y = scene(p + vec3(0.0, e, 0.0)).distance - scene(p - vec3(0.0, e, 0.0)).distance;
    float z = scene(p + vec3(0.0, 0.0, e)).distance - scene(p - vec3(0.0, 0.0, e)).distance;
    return normalize(vec3(x, y, z));
}

Hit march(vec3 origin, vec3 direction) {
    float t = 0.02;
    for (int i = 0; i < STEPS; ++i) {
        Hit h = scene(origin + direction * t);
        if (h.distance < 0.001 * t) {
            return Hit(t, h.material);
        }
        t += h.distance;
        if (t > FAR) {
            break;
        }
    }
    return Hit(FAR, -1);
}

float shadow(vec3 origin, vec3 direction) {
    float light = 1.0;
    float t = 0.05;
    for (int i = 0; i < 32; ++i) {
        float d = scene(origin + direction * t).distance;
        if (d < 0.001) {
            return 0.0;
        }
        light = min(light, 8.0 * d / t);
        t += clamp(d, 0.05, 0.5);
        if (t > 8.0) {
            break;
        }
    }
    return light;
}

float occlusion(vec3 p, vec3 n) {
    float sum = 0.0;
    float weight = 1.0;
    for (int i = 1; i <= 5; ++i) {
        float reach = 0.08 * float(i);
        sum += weight * (reach - scene(p + n * reach).distance);
        weight *= 0.7;
    }
    return clamp(1.0 - 1.5 * sum, 0.0, 1.0);
}

vec3 albedo(vec3 p, int material) {
    switch (material) {
    case 0: {
        float even = mod(floor(p.x) + floor(p.z), 2.0);
        return mix(vec3(0.25, 0.27, 0.3), vec3(0.75, 0.72, 0.68), even);
    }
    case 1:
        return vec3(0.9, 0.35, 0.25);
    case 2:
        return vec3(0.3, 0.55, 0.9);
    case 3:
        return vec3(0.35, 0.8, 0.4);
    default:
        return vec3(0.9, 0.8, 0.3);
    }
}

vec3 sky(vec3 direction) {
    float up = max(direction.y, 0.0);
    return mix(vec3(0.85, 0.9, 0.95), vec3(0.35, 0.55, 0.85), sqrt(up));
}

vec3 shade(vec3 p, vec3 n, vec3 direction, int material) {
    vec3 sun = normalize(vec3(0.6, 0.8, -0.4));
    float diffuse = max(dot(n, sun), 0.0);
    if (diffuse > 0.0) {
        diffuse *= shadow(p + n * 0.01, sun);
    }
    vec3 middle = normalize(sun - direction);
    float shine = pow(max(dot(n, middle), 0.0001), 32.0) * diffuse;
    vec3 ambient = sky(n) * (0.35 * occlusion(p, n));
    vec3 color = albedo(p, material) * (ambient + vec3(1.0, 0.95, 0.85) * diffuse);
    return color + vec3(0.4 * shine);
}

vec3 trace(vec3 origin, vec3 direction) {
    Hit hit = march(origin, direction);
    if (hit.material < 0) {
        return sky(direction);
    }
    vec3 p = origin + direction * hit.distance;
    vec3 n = normal_at(p);
    vec3 color = shade(p, n, direction, hit.material);
    if (hit.material == 1 || hit.material == 4) {
        vec3 mirrored = reflect(direction, n);
        vec3 start = p + n * 0.01;
        Hit second = march(start, mirrored);
        vec3 seen = sky(mirrored);
        if (second.material >= 0) {
            vec3 q = start + mirrored * second.distance;
            seen = shade(q, normal_at(q), mirrored, second.material);
        }
        color = mix(color, seen, 0.25);
    }
    float fog = 1.0 - exp(-0.002 * hit.distance * hit.distance);
    return mix(color, sky(direction), fog);
}

void main() {
    uvec2 pixel = gl_GlobalInvocationID.xy;
    if (pixel.x >= width || pixel.y >= height) {
        return;
    }
    vec2 at = (vec2(pixel) + 0.5) * 2.0 - vec2(width, height);
    vec2 uv = vec2(at.x, -at.y) / float(height);
    vec3 origin = vec3(0.5, 2.6, -6.0);
    vec3 direction = normalize(vec3(uv * 0.9, 1.7) + vec3(0.0, -0.45, 0.0));
    vec3 color = sqrt(clamp(trace(origin, direction), vec3(0.0), vec3(1.0)));
    uvec3 c = uvec3(color * 255.0 + 0.5);
    o[pixel.y * width + pixel.x] = c.x | (c.y << 8) | (c.z << 16) | 0xff000000u;
}
