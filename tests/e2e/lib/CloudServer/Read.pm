# Read.pm - taking a request to DAS apart: which instance, which fields, and the refusal where one of
# them is wrong.
package CloudServer::Read;
use strict;
use warnings;
use B ();
use Encode ();
use JSON::PP;
use List::Util qw(min);
use Exporter 'import';
our @EXPORT_OK = qw(refuse wrong instance project body is_number text_of number_of parameter query criteria page slice db_user);
our %EXPORT_TAGS = (all => \@EXPORT_OK);

my $json = JSON::PP->new->utf8->allow_nonref;

my @commands = ('Change user', 'Close stmt', 'Connect', 'Connect Out', 'Create DB', 'Daemon', 'Debug', 'Delayed insert', 'Drop DB',
    'Error', 'Execute', 'Fetch', 'Field List', 'Init DB', 'Kill', 'Long Data', 'Ping', 'Prepare', 'Processlist', 'Query', 'Quit',
    'Refresh', 'Reset stmt', 'Set option', 'Shutdown', 'Sleep', 'Statistics', 'Table Dump', 'Time');
my %command = map { lc $_ => 1 } @commands;

use constant { DURATION_MIN => 10, DURATION_MAX => 31_535_999 };

# The answer is an error instead.
sub refuse {
    my ($status, $code, $message) = @_;
    die { status => $status, code => $code, message => $message };
}

my %meaning = (
    start_at => ['DAS.200101', 'The start_at parameter is invalid.'], end_at => ['DAS.200102', 'The end_at parameter is invalid.'],
    offset => ['DAS.200103', 'The offset parameter is invalid.'], limit => ['DAS.200104', 'The limit parameter is invalid.'],
    order => ['DAS.200105', 'The order parameter is invalid.'], order_by => ['DAS.200106', 'The order_by parameter is invalid.'],
    datastore_type => ['DAS.200107', 'The datastore_type is invalid.'], database => ['DAS.200108', 'The database value is invalid!'],
    db_user_id => ['DAS.200112', 'The db_user_id value is invalid!'], project_id => ['DAS.200113', 'The project_id parameter is invalid.'],
    instance_id => ['DAS.200114', 'The instance_id parameter is invalid.'],
);

sub wrong {
    my ($name, $why) = @_;
    my ($code, $message) = @{ $meaning{$name} || ['DAS.200100', "The parameter is invalid. $name" . ($why ? ": $why" : '')] };
    refuse(400, $code, $message);
}

# The instance that a request is about.
sub instance {
    my ($g, $r) = @_;
    project($g, $r);
    my $i = $g->{instances}{ $r->{instance} };
    wrong('instance_id') if $r->{instance} !~ /\A(?:[0-9A-Za-z]{32}|[0-9A-Za-z]{36})\z/ || !$i || $i->{project} ne $r->{project};
    return $i;
}

sub project {
    my ($g, $r) = @_;
    wrong('project_id') if $r->{project} !~ /\A[0-9A-Za-z]{32}\z/ || !grep { $_ eq $r->{project} } map { @$_ } values %{ $g->{projects} };
}

# The body as a hash; {} when there is none.
sub body {
    my ($g, $r) = @_;
    return {} if !length $r->{body};
    my $body = eval { $json->decode($r->{body}) };
    wrong('body', 'expected a JSON object') if ref $body ne 'HASH';
    my %known = map { $_ => 1 } @{ $g->operation($r->{operation})->{fields} || [] };
    $known{$_} || $g->violation("$r->{operation} has an unknown field $_") for sort keys %$body;
    return $body;
}

sub is_number {
    my ($value) = @_;
    return 0 if !defined $value || ref $value;
    my $flags = B::svref_2object(\$value)->FLAGS;
    return !($flags & B::SVp_POK) && ($flags & B::SVp_IOK) && $value == int $value;
}

# A field that is a text; "" when it is missing, null or empty.
sub text_of {
    my ($body, $name) = @_;
    my $value = $body->{$name} // '';
    wrong($name, 'expected a text') if ref $value || is_number($value);
    return $value;
}

sub number_of {
    my ($body, $name, $from, $to, $required) = @_;
    return if !defined $body->{$name} && !$required;
    wrong($name, "expected a whole number from $from to $to")
        if !is_number($body->{$name}) || $body->{$name} < $from || $body->{$name} > $to;
    return $body->{$name} + 0;
}

# A parameter of the query that is a number.
sub parameter {
    my ($q, $name, $from, $to, $default) = @_;
    my $value = $q->{$name};
    $value = $default if !defined $value || $value eq '';
    wrong($name, 'it is missing') if !defined $value;
    wrong($name, "expected a whole number from $from to $to") if $value !~ /\A\d{1,18}\z/ || $value < $from || $value > $to;
    return $value + 0;
}

# The query as a hash of characters.
sub query {
    my ($r) = @_;
    return { map { ($_->[0] => Encode::decode('UTF-8', $_->[1])) } @{ $r->{query} } };
}

# What a preview or a kill task looks for.
sub criteria {
    my ($g, $body, $strict) = @_;
    my %c = map { $_ => text_of($body, $_) } qw(user host db command info task_type);
    wrong('command', "there is no $c{command}") if $g->{strict} && length $c{command} && !$command{ lc $c{command} };
    wrong('info', 'too many keywords') if (() = split /~/, $c{info}, -1) > 128;
    wrong('task_type', 'expected auto or manual') if $c{task_type} !~ /\A(?:auto|manual)?\z/ || ($strict && $c{task_type} eq '');
    $c{time} = number_of($body, 'time', 0, 2**31 - 1, 1);
    $c{task_duration} = number_of($body, 'task_duration', DURATION_MIN, DURATION_MAX, $strict);
    return \%c;
}

# --- parts of a list ---------------------------------------------------------------------------------

sub page {
    my ($q, $default, $max) = @_;
    return (parameter($q, 'offset', 0, 2**31 - 1, 0), parameter($q, 'limit', 1, $max, $default));
}

sub slice {
    my ($list, $offset, $limit) = @_;
    return [] if $offset > $#$list;
    return [ @$list[ $offset .. min($offset + $limit - 1, $#$list) ] ];
}

sub db_user {
    my ($i, $id) = @_;
    wrong('db_user_id') if !defined $id || ref $id || $id !~ /\A[0-9A-Za-z-]{32,36}\z/;
    my ($user) = grep { $_->{db_user_id} eq $id } @{ $i->{db_users} };
    refuse(400, 'DAS.220003', 'The database user does not exist.') if !$user;
    return $user;
}

1;
