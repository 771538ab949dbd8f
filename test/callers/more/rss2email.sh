# name: rss2email
# package: rss2email
# as: alice
# to: you@example.org
r2e new you@example.org
cat >feed.xml <<'E'
<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>Größe</title><link>http://web1.example/</link><description>d</description>
<item><title>Überschrift</title><link>http://web1.example/1</link><guid>http://web1.example/1</guid><description>Grüße</description></item></channel></rss>
E
python3 -m http.server 8765 --bind 127.0.0.1 >/dev/null 2>&1 &
until python3 -c 'import socket; socket.create_connection(("127.0.0.1", 8765))' 2>/dev/null; do sleep 0.1; done
r2e add f http://127.0.0.1:8765/feed.xml
r2e run 2>&1
kill $!
