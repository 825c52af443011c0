#version 450
// European call and put options.
layout(local_size_x = 256) in;
layout(std430, binding = 0) readonly buffer S { float price[]; };
layout(std430, binding = 1) readonly buffer X { float strike[]; };
layout(std430, binding = 2) readonly buffer T { float years[]; };
layout(std430, binding = 3) writeonly buffer C { float call[]; };
layout(std430, binding = 4) writeonly buffer Q { float put[]; };
layout(push_constant) uniform P { uint n; float rate; float volatility; };
float cnd(float d) {
    float k = 1.0 / (1.0 + 0.2316419 * abs(d));
    float poly = k * (0.31938153 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429))));
    float tail = 0.39894228040143267794 * exp(-0.5 * d * d) * poly;
    return d > 0.0 ? 1.0 - tail : tail;
}
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= n) {
        return;
    }
    float s = price[i], x = strike[i], t = years[i];
    float root = sqrt(t);
    float d1 = (log(s / x) + (rate + 0.5 * volatility * volatility) * t) / (volatility * root);
    float d2 = d1 - volatility * root;
    float n1 = cnd(d1), n2 = cnd(d2);
    float now = exp(-rate * t) * x;
    call[i] = s * n1 - now * n2;
    put[i] = now * (1.0 - n2) - s * (1.0 - n1);
}
