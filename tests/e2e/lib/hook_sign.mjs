// hook_sign.mjs - what each chat and alert platform sends to a hook: requests signed with the crypto of Node.js, by the
// platforms' own documents. Shares nothing with core/hook/hook_*.c; tests hold the two against each other, and the
// fakes of the platforms sign with it.
//
// sign(conf, body, { now, which, ... }) gives { method, target, headers: [[name, value]], body: Buffer }. conf is the
// hook's configuration as das has it (platform, secrets, tokens, ...), which says with which of several secrets, now is
// in seconds.
import crypto from 'node:crypto';

const hmac = (key, data, as) => crypto.createHmac('sha256', key).update(data).digest(as);
const hash = (kind, data) => crypto.createHash(kind).update(data).digest('hex');
const join = (...parts) => Buffer.concat(parts.map((p) => Buffer.from(p)));

export function keyPair() {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ed25519');
  return { publicKey: publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex'), privateKey };
}

// AES-256-CBC, padded to blocks of that size. damage: { padding: its bytes in place of those, cut: so many bytes less }.
function encrypt(key, iv, data, block, damage = {}) {
  const pad = block - (data.length % block);
  const cipher = crypto.createCipheriv('aes-256-cbc', key, iv).setAutoPadding(false);
  const padding = damage.padding ? damage.padding(pad) : Buffer.alloc(pad, pad);
  const out = Buffer.concat([cipher.update(Buffer.concat([data, padding])), cipher.final()]);
  return out.subarray(0, out.length - (damage.cut ?? 0));
}

export function feishuEncrypt(key, body, damage) {
  const iv = crypto.randomBytes(16);
  const out = encrypt(crypto.createHash('sha256').update(key).digest(), iv, Buffer.from(body), 16, damage);
  return Buffer.concat([iv, out]).toString('base64');
}

export function wecomEncrypt(aesKey, body, receiveId, damage) {
  const key = Buffer.from(`${aesKey}=`, 'base64');
  const size = Buffer.alloc(4);
  size.writeUInt32BE(Buffer.from(body).length);
  return encrypt(key, key.subarray(0, 16), join(crypto.randomBytes(16), size, body, receiveId), 32, damage).toString('base64');
}

// What das puts into a button of Mattermost, which signs nothing.
export const mattermostContext = (token, value) => ({ value, sign: hmac(token, `das.button:${value}`, 'hex') });

const signers = {
  slack(c, body, o) {
    return { headers: [['X-Slack-Request-Timestamp', `${o.now}`],
      ['X-Slack-Signature', `v0=${hmac(c.secrets[o.which], join(`v0:${o.now}:`, body), 'hex')}`]] };
  },
  feishu(c, body, o) {
    const nonce = crypto.randomBytes(8).toString('hex');
    const sent = Buffer.from(JSON.stringify({ encrypt: feishuEncrypt(c.encrypt_keys[o.which], body, o.damage) }));
    return { body: sent, headers: [['X-Lark-Request-Timestamp', `${o.now}`], ['X-Lark-Request-Nonce', nonce],
      ['X-Lark-Signature', hash('sha256', join(`${o.now}`, nonce, c.encrypt_keys[o.which], sent))]] };
  },
  feishu_card(c, body, o) {
    const nonce = crypto.randomBytes(8).toString('hex');
    return { headers: [['X-Lark-Request-Timestamp', `${o.now}`], ['X-Lark-Request-Nonce', nonce],
      ['X-Lark-Signature', hash('sha1', join(`${o.now}`, nonce, c.tokens[o.which], body))]] };
  },
  dingtalk(c, body, o) {
    const ms = `${o.now * 1000 + (o.ms ?? 0)}`;
    return { headers: [['timestamp', ms], ['sign', hmac(c.secrets[o.which], `${ms}\n${c.secrets[o.which]}`, 'base64')]] };
  },
  wecom(c, body, o) {
    const nonce = `${crypto.randomInt(1e9)}`;
    const encrypted = wecomEncrypt(c.encrypt_keys[o.which], body, o.receiveId ?? c.receive_id, o.damage);
    // strings are sorted by their UTF-16, which for the tokens of WeCom is the order of bytes
    const digest = hash('sha1', [c.tokens[o.which], `${o.now}`, nonce, encrypted].sort().join(''));
    const query = new URLSearchParams({ msg_signature: digest, timestamp: `${o.now}`, nonce });
    if (o.echo) {
      query.set('echostr', encrypted);
      return { method: 'GET', target: `${o.path}?${query}`, body: Buffer.alloc(0) };
    }
    const xml = `<xml><ToUserName><![CDATA[ww1]]></ToUserName><Encrypt><![CDATA[${encrypted}]]></Encrypt><AgentID>1</AgentID></xml>`;
    return { target: `${o.path}?${query}`, body: Buffer.from(xml) };
  },
  teams(c, body, o) {
    return { headers: [['Authorization', `HMAC ${hmac(Buffer.from(c.secrets[o.which], 'base64'), body, 'base64')}`]] };
  },
  discord(c, body, o) {
    return { headers: [['X-Signature-Timestamp', `${o.now}`],
      ['X-Signature-Ed25519', crypto.sign(null, join(`${o.now}`, body), o.privateKeys[o.which]).toString('hex')]] };
  },
  mattermost(c, body, o) {
    return { body: o.button ? body : join(`token=${encodeURIComponent(c.tokens[o.which])}&`, body) };
  },
  telegram(c, body, o) {
    return { headers: [['X-Telegram-Bot-Api-Secret-Token', c.tokens[o.which]]] };
  },
  github(c, body, o) {
    return { headers: [['X-GitHub-Delivery', o.id ?? crypto.randomUUID()], ['X-GitHub-Event', o.event ?? 'issues'],
      ['X-Hub-Signature-256', `sha256=${hmac(c.secrets[o.which], body, 'hex')}`]] };
  },
  standard(c, body, o) {
    const id = o.id ?? `msg_${crypto.randomBytes(12).toString('hex')}`;
    const key = Buffer.from(c.secrets[o.which].replace(/^whsec_/, ''), 'base64');
    return { headers: [['webhook-id', id], ['webhook-timestamp', `${o.now}`],
      ['webhook-signature', `v1,${hmac(key, join(`${id}.${o.now}.`, body), 'base64')}`]] };
  },
  pagerduty(c, body, o) {
    const others = crypto.randomBytes(32).toString('hex');
    return { headers: [['X-PagerDuty-Signature', `v1=${others},v1=${hmac(c.secrets[o.which], body, 'hex')}`]] };
  },
  grafana(c, body, o) {
    const headers = c.timestamp_header ? [[c.timestamp_header, `${o.now}`]] : [];
    const signed = c.timestamp_header ? join(`${o.now}:`, body) : body;
    headers.push([c.signature_header ?? 'X-Grafana-Alerting-Signature', hmac(c.secrets[o.which], signed, 'hex')]);
    return { headers };
  },
  alertmanager: authorize,
  cloudevents: authorize,
  bearer: authorize,
};

function authorize(c, body, o) {
  if (o.basic) {
    return { headers: [['Authorization', `Basic ${Buffer.from(`${c.user}:${c.passwords[o.which]}`).toString('base64')}`]] };
  }
  return { headers: [['Authorization', `Bearer ${c.tokens[o.which]}`]] };
}

export function sign(conf, body, options = {}) {
  const o = { now: Math.floor(Date.now() / 1000), which: 0, path: '/hooks/h', ...options };
  const raw = Buffer.from(body);
  const made = signers[conf.platform](conf, raw, o);
  return { method: 'POST', target: o.path, body: raw, ...made, headers: [...(made.headers ?? []), ...(o.headers ?? [])] };
}

export const platforms = Object.keys(signers);
