#version 450
// A ray-marched scene: the size and mixture of an ordinary shader of two hundred lines, to measure compilation with.
layout(local_size_x = 8, local_size_y = 8) in;
layout(constant_id = 0) const int STEPS = 48;
layout(constant_id = 1) const float FAR = 40.0;

struct Material {
    vec4 colour;
    float roughness;
    float metal;
    float glow;
    float pattern;
};

struct Light {
    vec4 position;
    vec4 colour;
};

layout(std430, binding = 0) buffer Image { uint pixels[]; };
layout(std430, binding = 1) readonly buffer Materials { Material materials[]; };
layout(std140, binding = 2) uniform Scene {
    mat4 camera;
    Light lights[4];
    vec4 fog;
    uvec2 size;
    uint light_count;
    float time;
};

struct Hit {
    float distance;
    uint material;
};

uint hash(uint x) {
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ (x >> 16);
}

float random(ivec3 cell) {
    uint h = hash(uint(cell.x) + hash(uint(cell.y) + hash(uint(cell.z))));
    return float(h >> 8) * (1.0 / 16777216.0);
}

float noise(vec3 p) {
    ivec3 cell = ivec3(floor(p));
    vec3 f = fract(p);
    f = f * f * (3.0 - 2.0 * f);
    float lower = mix(mix(random(cell), random(cell + ivec3(1, 0, 0)), f.x),
                      mix(random(cell + ivec3(0, 1, 0)), random(cell + ivec3(1, 1, 0)), f.x), f.y);
    float upper = mix(mix(random(cell + ivec3(0, 0, 1)), random(cell + ivec3(1, 0, 1)), f.x),
                      mix(random(cell + ivec3(0, 1, 1)), random(cell + ivec3(1, 1, 1)), f.x), f.y);
    return mix(lower, upper, f.z);
}

float turbulence(vec3 p) {
    float sum = 0.0;
    float weight = 0.5;
    for (int octave = 0; octave < 4; octave++) {
        sum += weight * noise(p);
        p = p * 2.03 + vec3(1.7, 9.2, 3.1);
        weight *= 0.5;
    }
    return sum;
}

float sphere(vec3 p, float radius) {
    return length(p) - radius;
}

float box(vec3 p, vec3 half_size) {
    vec3 d = abs(p) - half_size;
    return length(max(d, 0.0)) + min(max(d.x, max(d.y, d.z)), 0.0);
}

float torus(vec3 p, vec2 radii) {
    vec2 q = vec2(length(p.xz) - radii.x, p.y);
    return length(q) - radii.y;
}

float smooth_min(float a, float b, float k) {
    float h = clamp(0.5 + 0.5 * (b - a) / k, 0.0, 1.0);
    return mix(b, a, h) - k * h * (1.0 - h);
}

vec3 turn(vec3 p, float angle) {
    float s = sin(angle);
    float c = cos(angle);
    return vec3(c * p.x + s * p.z, p.y, c * p.z - s * p.x);
}

Hit nearer(Hit a, Hit b) {
    if (b.distance < a.distance) {
        return b;
    }
    return a;
}

Hit scene(vec3 p) {
    Hit hit = Hit(p.y + 1.0, 0u);
    vec3 q = turn(p, time * 0.3);
    float blob = smooth_min(sphere(q - vec3(0.8, 0.2, 0.0), 0.7), sphere(q + vec3(0.8, 0.0, 0.3), 0.9), 0.5);
    hit = nearer(hit, Hit(blob, 1u));
    hit = nearer(hit, Hit(torus(p - vec3(0.0, 1.4, 0.0), vec2(1.1, 0.25)), 2u));
    vec3 r = p;
    r.xz = mod(r.xz + 4.0, 8.0) - 4.0;
    hit = nearer(hit, Hit(box(r - vec3(2.5, 0.0, 2.5), vec3(0.4, 1.0, 0.4)), 3u));
    return hit;
}

vec3 normal_at(vec3 p) {
    const vec2 e = vec2(0.001, 0.0);
    float here = scene(p).distance;
    return normalize(vec3(scene(p + e.xyy).distance - here, scene(p + e.yxy).distance - here,
                          scene(p + e.yyx).distance - here));
}

Hit march(vec3 origin, vec3 direction, float limit) {
    float travelled = 0.01;
    for (int i = 0; i < STEPS; i++) {
        Hit hit = scene(origin + direction * travelled);
        if (hit.distance < 0.001 * travelled) {
            return Hit(travelled, hit.material);
        }
        travelled += hit.distance;
        if (travelled > limit) {
            break;
        }
    }
    return Hit(limit, ~0u);
}

float shadow(vec3 origin, vec3 direction, float limit) {
    float light = 1.0;
    float travelled = 0.05;
    for (int i = 0; i < STEPS / 2 && travelled < limit; i++) {
        float d = scene(origin + direction * travelled).distance;
        if (d < 0.001) {
            return 0.0;
        }
        light = min(light, 8.0 * d / travelled);
        travelled += clamp(d, 0.02, 0.5);
    }
    return clamp(light, 0.0, 1.0);
}

vec3 shade(vec3 p, vec3 direction, uint index) {
    Material m = materials[index];
    vec3 n = normal_at(p);
    vec3 base = m.colour.rgb;
    switch (uint(m.pattern)) {
    case 1u:
        base *= 0.6 + 0.4 * turbulence(p * 3.0);
        break;
    case 2u: {
        ivec2 tile = ivec2(floor(p.xz));
        base *= ((tile.x + tile.y) & 1) == 0 ? 1.0 : 0.4;
        break;
    }
    case 3u:
        base *= 0.5 + 0.5 * sin(12.0 * p.y + 4.0 * turbulence(p));
        break;
    default:
        break;
    }
    vec3 result = base * m.glow + base * 0.05;
    for (uint i = 0u; i < min(light_count, 4u); i++) {
        vec3 to_light = lights[i].position.xyz - p;
        float range = length(to_light);
        vec3 l = to_light / range;
        float facing = dot(n, l);
        if (facing <= 0.0) {
            continue;
        }
        float visible = shadow(p + n * 0.01, l, range);
        vec3 h = normalize(l - direction);
        float power = exp2(10.0 * (1.0 - m.roughness) + 1.0);
        float gloss = pow(max(dot(n, h), 0.0), power) * mix(0.04, 1.0, m.metal);
        float fade = lights[i].colour.w / (1.0 + range * range);
        result += visible * fade * lights[i].colour.rgb * (base * facing * (1.0 - m.metal) + gloss);
    }
    return result;
}

void main() {
    uvec2 at = gl_GlobalInvocationID.xy;
    if (any(greaterThanEqual(at, size))) {
        return;
    }
    vec2 uv = (2.0 * vec2(at) - vec2(size)) / float(size.y);
    vec3 origin = camera[3].xyz;
    vec3 direction = normalize(mat3(camera) * vec3(uv, -1.5));
    vec3 colour = vec3(0.0);
    float weight = 1.0;
    for (int bounce = 0; bounce < 2; bounce++) {
        Hit hit = march(origin, direction, FAR);
        float haze = 1.0 - exp(-hit.distance * fog.w);
        if (hit.material == ~0u) {
            colour += weight * fog.rgb;
            break;
        }
        vec3 p = origin + direction * hit.distance;
        colour += weight * mix(shade(p, direction, hit.material), fog.rgb, haze);
        weight *= materials[hit.material].metal * 0.5;
        if (weight < 0.02) {
            break;
        }
        origin = p + normal_at(p) * 0.01;
        direction = reflect(direction, normal_at(p));
    }
    pixels[at.y * size.x + at.x] = packUnorm4x8(vec4(sqrt(clamp(colour, 0.0, 1.0)), 1.0));
}
