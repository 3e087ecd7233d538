// client.js - the vendor's own SDK core for Node.js, sending what its DAS client would: one call for each line of
// JSON on standard input ({method, url, query, data, instance}), one line of JSON out ({status, body} or {status,
// code, message, request}). Started by serve_sdk.t with ENDPOINT, AK, SK, PROJECT in the environment.
'use strict';
const readline = require('readline');
const at = process.env.SDK + '/node_modules/@huaweicloud/huaweicloud-sdk-core/';
const { BasicCredentials } = require(at);
const { ClientBuilder } = require(at + 'ClientBuilder');

const { ENDPOINT, AK, SK, PROJECT } = process.env;
const credentials = new BasicCredentials().withAk(AK).withSk(SK).withProjectId(PROJECT);
const client = new ClientBuilder((hc) => hc, 'BasicCredentials')
    .withCredential(credentials).withEndpoint(ENDPOINT).build();

async function call(c) {
    const options = {
        method: c.method, url: c.url, contentType: 'application/json', queryParams: c.query || {},
        pathParams: { project_id: PROJECT, instance_id: c.instance || '' }, headers: c.headers || {},
    };
    if (c.data) options.data = c.data;
    try {
        const { httpStatusCode, ...body } = await client.sendRequest(options);
        return { status: httpStatusCode, body };
    } catch (e) {
        return { status: e.httpStatusCode, code: e.errorCode, message: e.errorMsg || String(e), request: e.requestId };
    }
}

(async () => {
    for await (const line of readline.createInterface({ input: process.stdin }))
        process.stdout.write(JSON.stringify(await call(JSON.parse(line))) + '\n');
})();
