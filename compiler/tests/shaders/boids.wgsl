struct Particle { pos: vec2<f32>, vel: vec2<f32> }
struct Params { dt: f32, count: u32, gain: f32 }
@group(0) @binding(0) var<storage, read_write> out: array<Particle>;
@group(0) @binding(1) var<storage, read> src: array<Particle>;
@group(0) @binding(2) var<uniform> params: Params;
@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if (i >= params.count) { return; }
    var pos = src[i].pos;
    var vel = src[i].vel;
    var centre = vec2<f32>(0.0, 0.0);
    var n: u32 = 0u;
    for (var j: u32 = 0u; j < arrayLength(&src); j = j + 1u) {
        if (j == i) { continue; }
        if (distance(src[j].pos, pos) < 4.0) { centre = centre + src[j].pos; n = n + 1u; }
    }
    if (n > 0u) { centre = centre / vec2<f32>(f32(n)); vel = vel + (centre - pos) * params.gain; }
    vel = normalize(vel) * clamp(length(vel), 0.0, 1.5);
    pos = pos + vel * params.dt;
    if (pos.x < -8.0) { pos.x = 8.0; }
    out[i] = Particle(pos, vel);
}
