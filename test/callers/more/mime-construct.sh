# name: mime-construct
# package: mime-construct
# as: alice
# to: you@example.org cc@example.org hidden@example.org
head -c 3000 /usr/bin/tsp >data.bin
mime-construct --to you@example.org --cc cc@example.org --bcc hidden@example.org --subject "a file" --string 'the text
.
..
' --type application/octet-stream --file-attach data.bin
