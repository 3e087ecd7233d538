# Iam.pm - tokens for names and passwords, and the projects of an account.
package CloudServer::Iam;
use strict;
use warnings;
use JSON::PP;
use POSIX qw(strftime);

our %operations = (
    token => { method => 'POST', path => '/v3/auth/tokens', open => 1, doc => ['KeystoneCreateUserTokenByPassword'], query => ['nocatalog'], fields => ['auth'], call => \&token },
    projects => { method => 'GET', path => '/v3/projects', service => 'iam', doc => ['KeystoneListProjects'],
        query => [qw(name domain_id enabled is_domain page per_page parent_id)], call => \&projects },
);

sub moment { return strftime('%Y-%m-%dT%H:%M:%S.000000Z', gmtime $_[0]) }

sub refuse {
    my ($status, $title, $message) = @_;
    my $body = { error => { code => $status, title => $title, message => $message } };
    die { message => $message, answer => CloudServer::Gateway::answer(status => $status, body => $body) };
}

sub member {
    my ($data, @names) = @_;
    for (@names) {
        return if ref $data ne 'HASH';
        $data = $data->{$_};
    }
    return $data;
}

sub token {
    my ($g, $r) = @_;
    my $body = eval { JSON::PP->new->utf8->decode($r->{body}) } || {};
    my $methods = member($body, qw(auth identity methods));
    refuse(400, 'Bad Request', 'Expecting to find a password method in auth.identity.') if ref $methods ne 'ARRAY' || "@$methods" ne 'password';
    my $user = member($body, qw(auth identity password user)) || {};
    my ($name, $password, $domain) = (member($user, 'name'), member($user, 'password'), member($user, qw(domain name)));
    refuse(400, 'Bad Request', 'Expecting to find name, password and domain.') if grep { !defined || ref } $name, $password, $domain;
    refuse(401, 'Unauthorized', 'The username or password is wrong.')
        if $domain ne $g->{domain} || !defined $g->{users}{$name} || $g->{users}{$name} ne $password;
    my ($project, $scope) = (undef, member($body, qw(auth scope)));
    if (my $wanted = member($scope, 'project')) {
        my ($id, $called) = (member($wanted, 'id'), member($wanted, 'name'));
        ($called) = grep { my $n = $_; grep { $_ eq $id } @{ $g->{projects}{$n} } } keys %{ $g->{projects} } if defined $id;
        my @ids = defined $called ? @{ $g->{projects}{$called} || [] } : ();
        $id //= $ids[0];
        refuse(401, 'Unauthorized', 'The project is not one of the account.') if !defined $id || !grep { $_ eq $id } @ids;
        $project = { id => $id, name => $called, domain => { id => $g->{domain_id}, name => $g->{domain} } };
    } elsif (!defined member($scope, 'domain')) { refuse(400, 'Bad Request', 'Expecting to find a project or domain in auth.scope.') }
    my $now = $g->now;
    my $token = 'MII' . join '', map { ('A' .. 'Z', 'a' .. 'z', 0 .. 9, '-', '+')[ rand 64 ] } 1 .. 1200;    # about as long as real ones are
    $g->{tokens}{$token} = { project => $project && $project->{id}, expires => $now + $g->{token_life} };
    my %answer = (methods => ['password'], issued_at => moment($now), expires_at => moment($now + $g->{token_life}), roles => [ { id => '0', name => 'te_admin' } ],
        user => { name => $name, id => 'f' x 32, password_expires_at => '', domain => { id => $g->{domain_id}, name => $g->{domain} } }, catalog => []);
    $answer{project} = $project if $project;
    return CloudServer::Gateway::answer(status => 201, headers => [ [ 'X-Subject-Token', $token ], [ 'X-IAM-Trace-Id', 'token_' . int rand 1e9 ] ],
        body => { token => \%answer });
}

sub projects {
    my ($g, $r) = @_;
    my %q = map { @$_ } @{ $r->{query} };
    my @found = map { my $name = $_; map { { id => $_, name => $name, domain_id => $g->{domain_id}, parent_id => $g->{domain_id}, enabled => JSON::PP::true,
            is_domain => JSON::PP::false, description => '' } } @{ $g->{projects}{$name} } }
        grep { !defined $q{name} || $_ eq $q{name} } sort keys %{ $g->{projects} };
    return { projects => \@found, links => { next => undef, previous => undef, self => 'https://iam.myhuaweicloud.com/v3/projects' } };
}

1;
