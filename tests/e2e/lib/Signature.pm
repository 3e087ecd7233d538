# Signature.pm - the signatures of Huawei Cloud's API gateway, written after the vendor's description
# on core Perl's Digest::SHA: another implementation than das's own, to compare it with.
#
# A request is a hash of bytes, as they are meant:
#   { method => 'GET', path => '/v3/x', query => [[name, value], ...], headers => [[Name, value], ...],
#     body => '', date => '20060102T150405Z', access => 'AK', secret => 'SK',
#     v11 => 1, region => 'cn-north-4', service => 'das' }
package Signature;
use strict;
use warnings;
use Digest::SHA qw(sha256_hex hmac_sha256 hmac_sha256_hex);
use Exporter 'import';
our @EXPORT_OK = qw(encode decode canonical sign read_target read_authorization verify);

my %encoded = map { my $c = chr; $c => $c =~ /[A-Za-z0-9\-_.~]/ ? $c : sprintf '%%%02X', $_ } 0 .. 255;
sub encode { return $_[0] =~ s/([^A-Za-z0-9\-_.~])/$encoded{$1}/gr }
sub decode { return $_[0] =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ger }

# The text that is hashed, and the names of the headers in it. $names: these headers, as another one
# has signed them; else all but those with a "_".
sub canonical {
    my ($r, $names) = @_;
    my $path = join '/', map { encode($_) } split m{/}, $r->{path}, -1;
    $path .= '/' unless $path =~ m{/\z};
    my $query = join '&', map { encode($_->[0]) . '=' . encode($_->[1]) }
        sort { $a->[0] cmp $b->[0] || $a->[1] cmp $b->[1] } @{ $r->{query} || [] };
    my %value = map { lc $_->[0] => $_->[1] =~ s/\A\s+|\s+\z//gr } @{ $r->{headers} || [] };
    $names ||= join ';', sort grep { !/_/ } keys %value;
    my $hash = $value{'x-sdk-content-sha256'} // sha256_hex($r->{body} // '');
    my $text = join "\n", $r->{method}, $path, $query, map({ "$_:" . ($value{$_} // '') } split /;/, $names),
        '', $names, $hash;
    return ($text, $names);
}

# The hex signature of a canonical text.
sub mac {
    my ($r, $text) = @_;
    my $hash = sha256_hex($text);
    return hmac_sha256_hex("SDK-HMAC-SHA256\n$r->{date}\n$hash", $r->{secret}) if !$r->{v11};
    my $info = info($r);
    my $key = unpack 'H*', hmac_sha256("$info\x01", hmac_sha256($r->{secret}, $r->{access}));    # HKDF, one block
    return hmac_sha256_hex("V11-HMAC-SHA256\n$r->{date}\n$info\n$hash", $key);
}

sub info { return substr($_[0]{date}, 0, 8) . "/$_[0]{region}/$_[0]{service}" }

# The value of Authorization.
sub sign {
    my ($r, $wanted) = @_;
    my ($text, $names) = canonical($r, $wanted);
    my $mac = mac($r, $text);
    my $who = $r->{v11} ? "V11-HMAC-SHA256 Credential=$r->{access}/" . info($r) : "SDK-HMAC-SHA256 Access=$r->{access}";
    return "$who, SignedHeaders=$names, Signature=$mac";
}

# --- the receiving side ----------------------------------------------------------------------------

# A target as it came over the wire: its path, and its query as a list of pairs.
sub read_target {
    my ($wire) = @_;
    my ($path, $query) = split /\?/, $wire, 2;
    my @pairs = map { [ map { decode(tr/+/ /r) } (split(/=/, $_, 2), '')[0, 1] ] } grep { length } split /&/, $query // '';
    return (decode($path), \@pairs);
}

# {v11, access, region, service, day, names, signature}; undef when it is no signature.
sub read_authorization {
    my ($value) = @_;
    if ($value =~ m{\ASDK-HMAC-SHA256 Access=([^ ,/]+), SignedHeaders=([^ ,]+), Signature=([0-9a-f]{64})\z}) {
        return { v11 => 0, access => $1, names => $2, signature => $3 };
    }
    if ($value =~ m{\AV11-HMAC-SHA256 Credential=([^ ,/]+)/(\d{8})/([^ ,/]+)/([^ ,/]+), SignedHeaders=([^ ,]+), Signature=([0-9a-f]{64})\z}) {
        return { v11 => 1, access => $1, day => $2, region => $3, service => $4, names => $5, signature => $6 };
    }
    return;
}

# Was the request signed so? (1 or 0, the canonical text). $r has method, path, query, headers, body
# and date as they came; $auth is from read_authorization().
sub verify {
    my ($r, $auth, $secret) = @_;
    my ($text) = canonical($r, $auth->{names});
    my $mac = mac({ %$auth, date => $r->{date}, secret => $secret }, $text);
    return ($mac eq $auth->{signature} ? 1 : 0, $text);
}

1;
