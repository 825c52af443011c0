struct Body {
    position: vec3<f32>,
    mass: f32,
    velocity: vec3<f32>,
    pad: f32,
}

@group(0) @binding(0) var<storage, read> before: array<Body>;
@group(0) @binding(1) var<storage, read_write> after: array<Body>;

const STEP: f32 = 0.01;
const SOFTENING: f32 = 0.05;
const TILE: u32 = 64u;
var<workgroup> tile: array<vec4<f32>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let count = arrayLength(&before);
    let me = before[min(id.x, count - 1u)];
    var acceleration = vec3<f32>(0.0);
    for (var base = 0u; base < count; base += TILE) {
        let other = before[min(base + lane, count - 1u)];
        tile[lane] = vec4<f32>(other.position, select(0.0, other.mass, base + lane < count));
        workgroupBarrier();
        for (var i = 0u; i < TILE; i++) {
            let d = tile[i].xyz - me.position;
            let r2 = dot(d, d) + SOFTENING;
            let r = inverseSqrt(r2);
            acceleration += d * (tile[i].w * r * r * r);
        }
        workgroupBarrier();
    }
    if id.x < count {
        var next = me;
        next.velocity = me.velocity + acceleration * STEP;
        next.position = me.position + next.velocity * STEP;
        after[id.x] = next;
    }
}
