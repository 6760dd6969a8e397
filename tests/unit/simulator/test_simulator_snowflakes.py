"""Ids: order, time, and the shard they lead to."""

from botswain_simulator.snowflakes import SnowflakeGenerator, created_ms, is_snowflake, iso, shard_of, snowflake_at


def test_ids_rise_even_when_the_clock_stands_or_goes_back() -> None:
    """Every id is above the one before it, whatever the clock does."""
    times = iter([2_000_000_000.0, 2_000_000_000.0, 1_999_999_999.0, 2_000_000_000.001])
    generator = SnowflakeGenerator(lambda: next(times))
    ids = [int(generator.next()) for _ in range(4)]
    assert ids == sorted(set(ids))


def test_an_id_carries_the_time_it_was_made_at() -> None:
    """The documented example id gives the documented time."""
    assert created_ms("175928847299117063") == 1_462_015_105_796
    assert created_ms(snowflake_at(1_700_000_000_123)) == 1_700_000_000_123


def test_guild_ids_spread_evenly_over_shards() -> None:
    """Guilds made in a row with a millisecond of their own take the shards in turn."""
    generator = SnowflakeGenerator(lambda: 2_000_000_000.0)
    shards = [shard_of(generator.next(own_millisecond=True), 4) for _ in range(400)]
    assert {shards.count(shard) for shard in range(4)} == {100}


def test_what_is_not_a_64_bit_decimal_number_is_no_snowflake() -> None:
    """Text, negative numbers, booleans and too large numbers are refused."""
    assert is_snowflake("175928847299117063")
    assert is_snowflake(5)
    assert not any(
        is_snowflake(value) for value in ("abc", "-1", -1, True, "", "1.5", str(2**64), "9" * 400, None, "²")
    )


def test_timestamps_have_microseconds_and_an_offset() -> None:
    """Times are written as Discord writes them, also on a full second."""
    assert iso(1_700_000_000) == "2023-11-14T22:13:20.000000+00:00"
