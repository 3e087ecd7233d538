#!/usr/bin/perl
# serve_sdk.t - the vendor's SDK for Node.js against das serve, plain and over TLS: it signs, sends and reads as it
# does with the cloud. Installed from the npm registry into the build folder, by a lock file with hashes.
use strict;
use warnings;
use Test::More;
use lib 'tests/e2e/lib';
use Cwd qw(abs_path);
use File::Path qw(make_path);
use File::Copy qw(copy);
use IPC::Open2;
use JSON::PP;
use Das qw(wait_for);
use Serve;

my ($npm) = grep { -x } map { "$_/npm" } split /:/, $ENV{PATH};
plan skip_all => 'npm is not installed: the vendor\'s SDK cannot be tried' unless $npm;

my $sdk = abs_path($ENV{BUILD} || 'build') . '/sdk';
make_path($sdk);
copy("tests/e2e/sdk/$_", "$sdk/$_") for qw(package.json package-lock.json);
my $said = '';
if (!-e "$sdk/node_modules/uuid/package.json" || -M "$sdk/package-lock.json.done" > -M 'tests/e2e/sdk/package-lock.json') {
    $said = `cd '$sdk' && npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 2>&1 && touch package-lock.json.done`;
}
plan skip_all => "the npm registry cannot be reached: $1" if $? && $said =~ /^npm \S+ (?:error )?code (E(?:NOTFOUND|AI_AGAIN|CONN\w+|TIMEDOUT|NETUNREACH|HOSTUNREACH)|\w*CERT\w*)/mi;
die "npm ci failed:\n$said" if $?;

my $PROJECT = $Serve::PROJECT;
my $json = JSON::PP->new->utf8->canonical;
my $home = File::Temp::tempdir(CLEANUP => 1);    # the SDK writes into ~/.huaweicloud
my $FLOW = '/v3/{project_id}/instances/{instance_id}/auto-flow';

for my $tls (0, 1) {
    my $s = Serve->new(instances => { orders => 'mem:tests/samples/recording.jsonl' }, tls => $tls);
    my $id = $s->id('orders');
    local @ENV{qw(SDK ENDPOINT AK SK PROJECT HOME)} = ($sdk, $s->base, $s->{key}{access}, $s->{key}{secret}, $PROJECT, $home);
    local $ENV{NODE_EXTRA_CA_CERTS} = "$s->{dir}/server.pem" if $tls;    # its certificate is verified
    my $pid = open2(my $from, my $to, 'node', 'tests/e2e/sdk/client.js');
    my $call = sub {
        my ($method, $url, %c) = @_;
        print $to $json->encode({ method => $method, url => $url, instance => $id, %c }), "\n";
        $to->flush;
        while (my $line = <$from>) { return $json->decode($line) if $line =~ /^\{/ }    # the SDK logs there, too
        die "the SDK's program ended\n";
    };
    my $as = $tls ? 'https' : 'http';
    my $r = $call->('POST', "$FLOW/preview-session-for-kill-process-task", data => { command => 'Query', time => 0, task_duration => 10, task_type => 'auto' });
    is($r->{status}, 200, "$as: preview") or diag($json->encode($r), $s->log);
    cmp_ok($r->{body}{total_count}, '>', 0, 'it finds sessions');
    is_deeply([ sort keys %{ $r->{body}{processes}[0] } ], [ sort qw(id user host db state command sql_info state_duration) ], 'with the fields of its model');
    is($call->('GET', "$FLOW/get-kill-process-task-switch")->{body}{status}, 'OFF', 'switch');
    is($call->('POST', "$FLOW/set-kill-process-task-switch", data => { status => 'on' })->{status}, 200, 'turned on');
    is($call->('PUT', "$FLOW/add-kill-process-task", data => { user => "n\x{f6}body %_ \"x\"", time => 5, task_duration => 30, task_type => 'auto', info => 'select * from das' })->{status},
        200, 'a task is created');
    my $tasks = $call->('GET', "$FLOW/query-kill-process-task")->{body}{sql_killing_task_resp_list};
    is($tasks->[0]{user}, "n\x{f6}body %_ \"x\"", 'and listed, letter by letter');
    is($call->('POST', "$FLOW/terminate-kill-process-task", data => { task_id => "$tasks->[0]{task_id}" })->{status}, 200, 'and stopped');
    my $h = $call->('GET', "$FLOW/query-kill-process-history", query => { start_time => (time - 60) * 1000, end_time => (time + 60) * 1000, page_num => 1, page_size => 10 });
    is($h->{body}{total_count}, 0, 'history') or diag($json->encode($h));
    my $victim = $r->{body}{processes}[0];
    my $k = $call->('POST', '/v3/{project_id}/instances/{instance_id}/kill-process', data => { engine_type => 'mysql', processes => [ { id => $victim->{id}, user => $victim->{user} } ] });
    is($k->{body}{count}, 1, 'a session is killed') or diag($json->encode($k));
    is($call->('POST', "$FLOW/kill-all-session")->{status}, 200, 'a POST without a body');
    is($call->('GET', '/v3/{project_id}/instances', query => { datastore_type => 'MySQL', limit => 10 })->{body}{instance_list}[0]{instance_id}, $id, 'instances');
    my $bad = $call->('POST', "$FLOW/terminate-kill-process-task", data => { task_id => '999' });
    is("$bad->{status} $bad->{code}", '400 DAS.200100', 'an error has its code') or diag($json->encode($bad));
    like($bad->{request}, qr/^[0-9a-f]{32}$/, 'and the request id');
    is($call->('DELETE', '/v3/{project_id}/instances/{instance_id}/process', data => { db_user_id => 'x', process_ids => ['1'] })->{code}, 'DAS.200112', 'DELETE with a body is signed as it is sent');
    close $to;
    waitpid $pid, 0;

    local $ENV{SK} = 'not the secret';
    $pid = open2($from, $to, 'node', 'tests/e2e/sdk/client.js');
    my $denied = $call->('GET', "$FLOW/get-kill-process-task-switch");
    is("$denied->{status} $denied->{code}", '401 APIGW.0301', 'a wrong secret') or diag($json->encode($denied));
    close $to;
    waitpid $pid, 0;
}
done_testing();
