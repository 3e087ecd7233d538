#!/usr/bin/perl
# cloud_doctor.t - das cloud doctor: what it finds, one trouble at a time, what it says to do about it, and
# that it changes nothing.
use strict;
use warnings;
use Test::More;
use JSON::PP;
use lib 'tests/e2e/lib';
use CloudServer;
use Das qw(das);

# The checks by name: [verdict, text]. %$opt: env, spec, args.
sub doctor {
    my ($c, $opt) = @_;
    my $spec = $opt->{spec} || "das://@{[ $c->region ]}/@{[ $c->project ]}/@{[ $c->instance ]}";
    my $r = das({ env => { %{ $c->env }, %{ $opt->{env} || {} } } }, 'cloud', 'doctor', '-i', $spec, '-o', 'json');
    my $json = eval { decode_json($r->{out}) } or do { fail("no JSON: $r->{out}$r->{err}"); return {} };
    return { %$r, json => $json, map { $_->{check} => $_ } @{ $json->{checks} } };
}

# Exactly these checks are not "ok", as they should be; all the others are.
sub finds {
    my ($name, $d, $exit, %want) = @_;
    is($d->{exit}, $exit, "$name: exit $exit");
    my %got = map { $_->{verdict} eq 'ok' ? () : ($_->{check} => $_->{verdict}) } @{ $d->{json}{checks} };
    is_deeply(\%got, { map { $_ => ref $want{$_} ? $want{$_}[0] : $want{$_} } keys %want }, "$name: the verdicts")
        or diag(join "\n", map { "$_->{verdict} $_->{check}: $_->{text}" } @{ $d->{json}{checks} });
    like($d->{$_}{text}, $want{$_}[1], "$name: $_ says what to do") for grep { ref $want{$_} } sort keys %want;
}
sub all_of { my ($verdict, @checks) = @_; return map { $_ => $verdict } @checks }

my @mays = map { "may: $_" } qw(preview tasks history switch users instances);
my @told = ('running tasks', 'switch');
my @all = ('endpoint', 'TLS', 'clock', 'credentials', 'project', 'accepted', @mays, @told, 'rate');

my $c = CloudServer->new;
my $spec = "das://@{[ $c->region ]}/@{[ $c->project ]}/@{[ $c->instance ]}";

# --- nothing is wrong ------------------------------------------------------------------------------------
my $d = doctor($c);
finds('all is well', $d, 0);
is_deeply([ sort map { $_->{check} } @{ $d->{json}{checks} } ], [ sort @all ], 'every check is there, once');
is("$d->{json}{wrong} $d->{json}{warnings}", '0 0', 'counted');
like($d->{credentials}{text}, qr/access key ACCE/, 'whose key');
unlike($d->{out}, qr/@{[ $c->secret ]}|@{[ $c->access ]}/, 'and not all of it');
my %writes = map { $_ => 1 } qw(task_create task_stop switch_set kill_all kill_process delete_process);
is_deeply([ grep { $writes{ $_->{operation} } } $c->requests ], [], 'it only reads');
is($c->count('versions'), 1, 'it looked at the endpoint');
is((grep { $_->{operation} eq 'versions' && $_->{auth} } $c->requests), 0, 'without showing a credential');

my $r = das({ env => $c->env }, 'cloud', 'doctor', '-i', $spec);
like($r->{out}, qr/^ok           endpoint        http:\S+ answers$/m, 'a line for each check');
is(scalar(() = $r->{out} =~ /^ok /mg), scalar @all, 'all of them fine');

# --- the way there ---------------------------------------------------------------------------------------
$d = doctor($c, { env => { HUAWEICLOUD_SDK_REGION_DAS_CN_NORTH_4 => 'http://127.0.0.1:1' } });
finds('nobody there', $d, 1, endpoint => [ 'wrong', qr/no connection.*check the region, the endpoint, and whether a firewall/ ],
    all_of('not checked', grep { $_ ne 'endpoint' } @all));
$d = doctor($c, { env => { HUAWEICLOUD_SDK_REGION_DAS_CN_NORTH_4 => 'http://db.example' } });
finds('plain http', $d, 1, endpoint => [ 'wrong', qr{write https://} ], all_of('not checked', grep { $_ ne 'endpoint' } @all));

my $tls = CloudServer->new(tls => 1);
$d = doctor($tls);
finds('an authority that nobody knows', $d, 1, TLS => [ 'wrong', qr/certificate is not trusted.*`ca`/ ],
    all_of('not checked', grep { $_ !~ /^(endpoint|TLS|rate)$/ } @all), rate => 'not checked');

$c->script('versions', [ { status => 404, body => 'nothing here' } ]);
finds('something else answers', doctor($c), 0, endpoint => [ 'warning', qr/not as the DAS API does \(.*HTTP 404.*\): is it the right one/ ]);
$c->script('versions', [ { status => 200, body => '<html>' } ]);
finds('a web page answers', doctor($c), 0, endpoint => [ 'warning', qr/no JSON/ ]);

# --- the clock -------------------------------------------------------------------------------------------
my @behind = map { $_ => 'not checked' } @mays, @told;
finds('20 minutes behind', doctor(CloudServer->new(now_offset => 1200)), 1,
    clock => [ 'wrong', qr/clock is 1\d\d\d s behind the server's: set it/ ], accepted => [ 'wrong', qr/HTTP 401/ ], @behind);
finds('20 minutes ahead', doctor(CloudServer->new(now_offset => -1200)), 1,
    clock => [ 'wrong', qr/clock is 1\d\d\d s ahead of the server's/ ], accepted => [ 'wrong', qr/HTTP 401/ ], @behind);
finds('5 minutes ahead', doctor(CloudServer->new(now_offset => -300)), 0, clock => [ 'warning', qr/ahead of the server's: set it before/ ]);
$c->script('versions', [ { perform => 1, headers => { Date => undef } } ]);
finds('no clock', doctor($c), 0, clock => [ 'warning', qr/does not tell its time/ ]);

# --- who we are ------------------------------------------------------------------------------------------
$c->forget;
$d = doctor($c, { env => { HUAWEICLOUD_SDK_SK => 'another' } });
finds('a wrong secret', $d, 1, accepted => [ 'wrong', qr/the secret key does not belong to the access key/ ],
    all_of('not checked', @mays, @told));
is((grep { ($_->{status} || 0) == 401 } $c->requests), 1, 'one try: five of them lock the key');
finds('no key', doctor($c, { env => { HUAWEICLOUD_SDK_AK => '' } }), 1, credentials => [ 'wrong', qr/HUAWEICLOUD_SDK_AK/ ],
    all_of('not checked', 'project', 'accepted', @mays, @told));

my %nameless = (spec => "das://@{[ $c->region ]}/@{[ $c->instance ]}", env => { HUAWEICLOUD_SDK_PROJECT_ID => '' });
$d = doctor($c, \%nameless);
finds('a project by its name', $d, 0);
like($d->{project}{text}, qr/^@{[ $c->project ]}, which has the name cn-north-4$/, 'it is found');
finds('no project of that name', doctor(CloudServer->new(projects => {}), \%nameless), 1,
    project => [ 'wrong', qr/0 projects have its name.*write the project's id into/ ], all_of('not checked', 'accepted', @mays, @told));
finds('a wrong project', doctor($c, { spec => "das://@{[ $c->region ]}/@{[ 'f' x 32 ]}/@{[ $c->instance ]}" }), 1,
    'may: preview' => [ 'wrong', qr/check the project id/ ], all_of('not checked', @mays[ 1 .. 5 ], @told));
finds('a wrong instance', doctor($c, { spec => "das://@{[ $c->region ]}/@{[ $c->project ]}/@{[ 'f' x 32 ]}" }), 1,
    'may: preview' => [ 'wrong', qr/no such instance/ ], all_of('not checked', @mays[ 1 .. 5 ], @told));

# --- what we may do --------------------------------------------------------------------------------------
$c->set(deny => ['das:clouddba:listKillTaskRecord']);
finds('a permission is missing', doctor($c), 1, 'may: tasks' => [ 'wrong', qr/add das:clouddba:listKillTaskRecord to the policy/ ],
    'running tasks' => 'not checked');
$c->set(deny => [ 'das:clouddba:listDbUser', 'instances' ]);
finds('what is not needed by everybody', doctor($c), 0, 'may: users' => [ 'warning', qr/add das:clouddba:listDbUser.*needed for kills through a registered user only/ ],
    'may: instances' => [ 'warning', qr/needed for das cloud instances only/ ]);
$c->set(deny => []);
$c->script('history', [ { times => 9, status => 500, body => {} } ]);
$c->script('switch_get', [ { status => 200, body => { status => "\e[2Jbroken" } } ]);
$d = doctor($c);
finds('answers that are none', $d, 1, 'may: history' => [ 'wrong', qr/HTTP 500/ ], 'may: switch' => [ 'wrong', qr/expected ON, OFF or switching/ ],
    switch => 'not checked');
$c->unscript;

# --- what there is ---------------------------------------------------------------------------------------
$c->switch('OFF');
finds('the switch is off', doctor($c), 0, switch => [ 'warning', qr/off: kill tasks do not run.*das cloud switch on -i \Q$spec\E --apply/ ]);
$c->switch('ON');
for (1 .. 5) {
    my $made = das({ env => $c->env }, 'cloud', 'tasks', 'create', '-i', $spec, '--user', "u$_", '--time', 60, '--duration', '1h', '--apply');
    is($made->{exit}, 0, "task $_") or diag($made->{err});
}
finds('five tasks run', doctor($c), 0, 'running tasks' => [ 'warning', qr/^5 of 5: no other one/ ]);
$c->set(list_ended => 1);
is(das({ env => $c->env }, 'cloud', 'tasks', 'stop', '-i', $spec, 1001)->{exit}, 0, 'one is stopped');
$d = doctor($c);
finds('four run', $d, 0);
like($d->{'running tasks'}{text}, qr/^4 of 5$/, 'one that has ended does not count');

$c->script('preview', [ { times => 50, status => 429, headers => { 'Retry-After' => 60 }, body => { error_code => 'APIGW.0308', error_msg => 'ratelimit' } } ]);
finds('asked too often', doctor($c), 1, 'may: preview' => [ 'wrong', qr/HTTP 429.*lower `rate`/ ], rate => [ 'warning', qr/^1 of 7 answers.*lower `rate`/ ]);

is_deeply([ $c->violations, $tls->violations ], [], 'das did nothing that a careful client does not do');
done_testing();
