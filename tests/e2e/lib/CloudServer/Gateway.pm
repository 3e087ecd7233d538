# Gateway.pm - what stands in front of the cloud's services: which operation a request asks for, who
# asks, whether he may; and what the test has said about the next answers. Keeps the log of requests.
#
# An operation is a function ($g, $request) that returns a text or data for an answer with status 200,
# or an answer(status => ..., headers => ..., body => ...); it refuses by refuse(status, code, message).
package CloudServer::Gateway;
use strict;
use warnings;
use JSON::PP;
use POSIX qw(strftime);
use Time::HiRes ();
use Time::Local qw(timegm);
use Signature ();
use CloudServer::Control;
use CloudServer::Das;
use CloudServer::Iam;
use CloudServer::Read qw(refuse);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

use constant { SKEW_MAX => 15 * 60, BODY_MAX => 12 << 20, TARGET_MAX => 32 << 10 };

# METHOD and what of the path follows /v3/{project_id}/instances/{instance_id}/, or all of it
my %operations = (%CloudServer::Das::operations, %CloudServer::Iam::operations);
my %route = map { my $name = $_; ("$operations{$name}{method} $operations{$name}{path}" => $name) } keys %operations;
my %alias = map { my $name = $_; map { ($_ => $name) } @{ $operations{$name}{doc} || [] } } keys %operations;

# The short name of an operation, from that or from one that the documents or SDKs use.
sub operation_name {
    my ($name) = @_;
    return $name if $operations{$name} || $name eq '*' || $name eq 'unknown';
    return $alias{$name} // die "there is no operation $name; there are: @{[ sort keys %operations ]}\n";
}

sub operation { return $operations{ $_[1] } }

sub answer {
    my (%how) = @_;
    return bless \%how, 'CloudServer::Answer';
}

sub new {
    my ($class, %opt) = @_;
    return bless { log => [], scripts => {}, hooks => [], hold => {}, tokens => {}, violations => [], instances => {}, failures => 0, served => {}, %opt }, $class;
}

# The server's clock, which may be wrong.
sub now { return Time::HiRes::time() + $_[0]{now_offset} }

sub violation {
    my ($g, $what) = @_;
    push @{ $g->{violations} }, $what;
}

# --- one request --------------------------------------------------------------------------------

sub handle {
    my ($g, $r) = @_;
    return CloudServer::Control::handle($g, $r) if $r->{quiet};
    ($r->{path}, $r->{query}) = Signature::read_target($r->{target});
    $g->route($r);
    my $entry = { n => 1 + @{ $g->{log} }, time => Time::HiRes::time(), operation => $r->{operation}, instance => $r->{instance},
        map({ $_ => $r->{$_} } qw(method target body connection)), raw_headers => $r->{headers}, headers => $r->{h} };
    push @{ $g->{log} }, $entry;
    my $refusal = $g->attempt(sub { $g->authenticate($r); undef });
    @$entry{qw(auth verified why)} = ($r->{auth} // '', $r->{verified} ? 1 : 0, $refusal ? $refusal->{message} : '');
    $g->watch_manners($r);

    my $step = $g->next_step($r->{operation});
    my $how;
    if ($step && !$step->{perform} && ($step->{drop_before} || defined $step->{status} || defined $step->{body})) { $how = { status => 200 } }
    elsif ($refusal) { $how = $g->error($refusal) }
    else {
        my $done;
        my $failed = $g->attempt(sub { $done = $operations{ $r->{operation} }{call}->($g, $r); undef });
        $how = $failed ? $g->error($failed) : ref $done eq 'CloudServer::Answer' ? $done : { status => 200, body => $done };
    }
    $how->{hold} = $r->{operation} if $g->{hold}{ $r->{operation} } || $g->{hold}{'*'};
    $how->{delay} = $g->{latency} if $g->{latency};
    $g->apply_step($how, $step, $r->{operation}) if $step;
    $g->finish($how, $r);
    $entry->{status} = $how->{close} || $how->{reset} || $how->{hang} ? 0 : $how->{status};
    $g->run_hooks($r->{operation});
    return $how;
}

# What an operation or a check died of; undef when it did not.
sub attempt {
    my ($g, $what) = @_;
    return if eval { $what->(); 1 };
    my $error = $@;
    return $error if ref $error eq 'HASH';
    warn "CloudServer: $error";    # so that a fault here fails the test and does not pass as the cloud's
    $g->violation("the server failed: $error");
    return { status => 500, code => 'TEST.0500', message => 'the server of the test failed' };
}

sub error {
    my ($g, $e) = @_;
    return $e->{answer} if $e->{answer};
    my $data = { error_code => $e->{code}, error_msg => $e->{message} };
    $data->{request_id} = 1 if $e->{code} =~ /^APIGW/;    # finish() says which
    return { status => $e->{status}, body => $data };
}

sub finish {
    my ($g, $how, $r) = @_;
    my $id = sprintf '%08x%08x%08x%08x', map { int rand 2**32 } 1 .. 4;
    if (ref $how->{body}) {
        $how->{body}{request_id} = $id if ref $how->{body} eq 'HASH' && $how->{body}{request_id};
        $how->{body} = $json->encode($how->{body});
    }
    $how->{body} //= '';
    utf8::encode($how->{body}) if $how->{body} =~ /[^\x00-\xff]/;
    my %over = %{ delete $how->{over} || {} };
    my @headers = (
        [ 'Date', strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime $g->now) ], [ 'Server', 'api-gateway' ],
        [ 'Content-Type', 'application/json' ], [ 'X-Request-Id', $id ], @{ $how->{headers} || [] },
    );
    my %given = map { lc $_ => 1 } keys %over;
    $how->{headers} = [ grep({ !$given{ lc $_->[0] } } @headers), map { [ $_, $over{$_} ] } grep { defined $over{$_} } sort keys %over ];
    my $per = $g->{per_connection} or return;
    $how->{last} = 1 if ++$g->{served}{ $r->{connection} } >= $per;
}

sub route {
    my ($g, $r) = @_;
    my $path = $r->{path};
    my $rest = $path;
    if ($path =~ m{\A/v3/([^/]+)/instances/([^/]+)/(.+)\z}) { (@$r{qw(project instance)}, $rest) = ($1, $2, $3) }
    elsif ($path =~ m{\A/v3/([^/]+)/(instances|instance/nodes-info)\z}) { ($r->{project}, $rest) = ($1, $2) }
    elsif ($path =~ m{\A/das/[^/]+\z}) { $rest = '/das' }
    $r->{operation} = $route{"$r->{method} $rest"} // 'unknown';
}

# --- who asks -----------------------------------------------------------------------------------

sub refuse_iam { refuse(401, 'APIGW.0301', "Incorrect IAM authentication information: $_[0]") }

sub authenticate {
    my ($g, $r) = @_;
    my $operation = $operations{ $r->{operation} };
    if (!$operation) {
        my $value = $r->{h}{authorization};
        $r->{verified} = defined $value && !$g->attempt(sub { $g->check_signature($r, $value) });    # for the log
        refuse(404, 'APIGW.0101', 'The API does not exist or has not been published in the environment.');
    }
    refuse(413, 'APIGW.0201', 'Request entity too large.') if length $r->{body} > BODY_MAX;
    refuse(414, 'APIGW.0201', 'Request URI too large.') if length $r->{target} > TARGET_MAX;
    return if $operation->{open};
    my ($authorization, $token) = @{ $r->{h} }{qw(authorization x-auth-token)};
    if (defined $token) {
        $g->violation("$r->{operation} with a token and a signature") if defined $authorization;
        $g->check_token($r, $token);
    } elsif (defined $authorization) { $g->check_signature($r, $authorization) }
    else { refuse_iam('x-auth-token not found') }
    $r->{verified} = 1;
    my %needed = map { $_ => 1 } $r->{operation}, $operation->{action} // ();
    refuse(403, 'APIGW.0302', 'The IAM user is not authorized to access the API.') if grep { $needed{$_} } @{ $g->{deny} };
}

sub check_token {
    my ($g, $r, $token) = @_;
    $r->{auth} = 'token';
    my $known = $g->{tokens}{$token} or refuse_iam('decrypt token fail');
    my $expired = $known->{expired} || ($known->{expires} <= $g->now && 'expires');
    refuse(401, 'APIGW.0307', 'The token must be updated.') if ($expired || '') eq 'update';
    refuse_iam('token expires, expires_at: ' . CloudServer::Iam::moment($known->{expires})) if $expired;
    refuse(400, 'DAS.200051', 'authentication failed') if defined $r->{project} && ($known->{project} // '') ne $r->{project};
}

sub check_signature {
    my ($g, $r, $value) = @_;
    my $auth = Signature::read_authorization($value) or refuse_iam('authorization format is incorrect');
    $r->{auth} = $auth->{v11} ? 'v11' : 'sdk';
    my %signed = map { $_ => 1 } split /;/, $auth->{names};
    my $date = $r->{h}{'x-sdk-date'} // '';
    my ($time) = eval { timegm($6, $5, $4, $3, $2 - 1, $1) if $date =~ /\A(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\z/ };
    refuse_iam('x-sdk-date is missing, not signed or no date') if !defined $time || !$signed{'x-sdk-date'};
    refuse_iam("signature expired, signature time:$date,server time:" . strftime('%Y%m%dT%H%M%SZ', gmtime $g->now))
        if abs($time - $g->now) > SKEW_MAX;
    refuse_iam('AK access failed to reach the limit,forbidden.') if $g->{lock_after} && $g->{failures} >= $g->{lock_after};
    my $key = $g->{key};
    refuse_iam("Get secretKey failed,ak:$auth->{access},err:ak not exist") if $auth->{access} ne $key->{access};
    my $wrong = $g->signature_fault($r, $auth, \%signed, $date);
    $g->{failures} = defined $wrong ? $g->{failures} + 1 : 0;
    refuse_iam($wrong) if defined $wrong;
    my ($project, $session) = @{ $r->{h} }{qw(x-project-id x-security-token)};
    refuse_iam('the security token is missing or not that of the key') if ($session // '') ne ($key->{security_token} // '');
    refuse_iam('x-project-id is not the project of the path') if defined $project && defined $r->{project} && $project ne $r->{project};
}

sub signature_fault {
    my ($g, $r, $auth, $signed, $date) = @_;
    $auth->{names} eq join ';', sort keys %$signed or return 'SignedHeaders is not sorted, or names a header twice';
    for my $name (keys %$signed) {
        return "SignedHeaders names $name, which is missing, twice or not in lower case"
            if !defined $r->{h}{$name} || grep { $_ eq $name } @{ $r->{twice} };
    }
    for my $name (qw(x-project-id x-domain-id x-security-token)) {
        return "$name is not signed" if defined $r->{h}{$name} && !$signed->{$name};
    }
    if ($auth->{v11}) {
        my $operation = $operations{ $r->{operation} };
        return "the credential is of another day, region or service"
            if $auth->{day} ne substr($date, 0, 8) || !$g->{projects}{ $auth->{region} }
            || ($operation && $auth->{service} ne ($operation->{service} || 'das'));
    }
    my $hash = $r->{h}{'x-sdk-content-sha256'};
    return 'x-sdk-content-sha256 is not that of the body'
        if defined $hash && $hash ne 'UNSIGNED-PAYLOAD' && $hash ne Digest::SHA::sha256_hex($r->{body});
    my ($same, $canonical) = Signature::verify({ %$r, date => $date }, $auth, $g->{key}{secret});
    return if $same;
    return 'verify aksk signature fail, canonicalRequest:' . $canonical =~ tr/\n/|/r;
}

# What a careful client never does, whether it is answered or not.
sub watch_manners {
    my ($g, $r) = @_;
    my $said = join "\n", $r->{target}, map({ $_->[1] } @{ $r->{headers} }), $r->{body};
    $g->violation("$r->{operation} tells the secret key") if index($said, $g->{key}{secret}) >= 0;
    my $operation = $operations{ $r->{operation} } or return;
    if ($r->{operation} ne 'token') {
        for (grep { length } values %{ $g->{users} }) { $g->violation("$r->{operation} tells a password") if index($said, $_) >= 0 }
    }
    for my $pair (@{ $r->{query} }) {
        $g->violation("$r->{operation} has an unknown parameter $pair->[0]") if !grep { $_ eq $pair->[0] } @{ $operation->{query} || [] };
    }
    my %seen;
    $seen{ $_->[0] }++ && $g->violation("$r->{operation} has a parameter twice: $_->[0]") for @{ $r->{query} };
    $g->violation("$r->{operation} has a body that is not said to be JSON")
        if length $r->{body} && ($r->{h}{'content-type'} // '') !~ m{\Aapplication/json\b}i;
    $g->violation("$r->{operation} has a body") if length $r->{body} && !$operation->{fields};
}

# --- what the test has said ---------------------------------------------------------------------

sub next_step {
    my ($g, $operation) = @_;
    for my $steps (grep { $_ && @$_ } @{ $g->{scripts} }{ $operation, '*' }) {
        my $step = $steps->[0];
        shift @$steps if --$step->{times} <= 0;
        return $step;
    }
    return;
}

sub apply_step {
    my ($g, $how, $step, $operation) = @_;
    for (qw(status body)) { $how->{$_} = $step->{$_} if defined $step->{$_} }
    $how->{over} = { %{ $step->{headers} || {} } };
    $how->{length} = $step->{content_length} if defined $step->{content_length};
    $how->{close} = 1 if $step->{drop_before};
    for (qw(delay cut chunked close reset hang last)) { $how->{$_} = $step->{$_} if defined $step->{$_} }
    $how->{hold} = $operation if $step->{hold};
}

sub run_hooks {
    my ($g, $operation) = @_;
    for my $hook (@{ $g->{hooks} }) {
        next if $hook->{operation} ne $operation || $hook->{left} <= 0 || --$hook->{left} > 0;
        CloudServer::Control::act($g, @$_) for @{ $hook->{acts} };
    }
}

1;
