"""The other words that people type, as tables of what each means here; `reader` reads with them."""

from course_lib.fruit.words import NAMES


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that ask for something, but not for anything that could be seen.
SILENT = _words(
    """
    please pls plz kindly draw drawing drawings show showing shows shown generate make making paint painting create
    creating render give get i me we us you my can could would will shall may want wants wanted need like love wish
    see try let lets let's do have hello hi hey thanks thank dear ok okay now just only also really very quite so
    simply some maybe perhaps how what about here there there's this it its it's of for to photo photos photograph
    picture pictures image images pic pics photography sketch illustration id im one's our your his her their
    these those that that's which who is are was be being am single coloured colored colour color colours colors hue
    hued tone shade sized size then too from lone copy exactly again another im i'm i'd i'll
    bunch bunches cluster clusters request prompt caption type kind has having got
    """
)
ARTICLES = _words("a an the one 1 some my any")
NOT = _words(
    "not no non without isn't isnt aren't arent except excluding never don't dont doesn't doesnt none nothing neither "
    "nor minus wasn't won't can't cannot instead exclude avoid skip unless lacking "
    "hardly barely scarcely what_but anything_but everything_but all_but instead_of rather_than other_than apart_from "
    "free_of"
)
LIKE = _words("as than like unlike size_of colour_of color_of shape_of")  # what comes after them is only compared with
COUNTS = {"two": 2, "both": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
COUNTS |= dict.fromkeys(
    sorted(_words("eleven twelve dozen dozens several many few lots multiple hundred hundreds thousand")), 12
)
COUNTS |= dict.fromkeys(sorted(_words("thousands million trio numerous countless")), 12)

# Words that mean exactly what a known one means.
SAME = {name.plural: kind for kind, name in NAMES.items()} | {
    "grape": "grapes",
    "fruits": "fruit",
    "gray": "grey",
    "reds": "red",
    "greens": "green",
    "backdrop": "background",
    "backdrops": "background",
    "backgrounds": "background",
    "bg": "background",
    "&": "and",
    "+": "and",
    "plus": "and",
    "with": "and",
    "alongside": "beside",
    "besides": "beside",
    "by": "beside",
    "near": "beside",
    "against": "on",
    "upon": "on",
    "onto": "on",
}
SAME |= dict.fromkeys(
    sorted(_words("big bigger biggest larger largest huge giant enormous great gigantic massive immense vast jumbo")),
    "large",
)
SAME |= dict.fromkeys(
    sorted(_words("little tiny wee mini miniature smaller smallest teeny minuscule petite minute itty bitty")), "small"
)

# Several words for one, in this order; words with "_" are the reader's own. KIND stands for any kind.
_SIDE = r"(?:(?:to|on|at|in) )?(?:the |its )?(left|right)(?: hand)?(?: side)?"
PHRASES = {
    r"two (?:different )?(?:fruits|things|objects)(?=(?: ,)? .+ (?:and|&|,) )": "",
    r"(?:in )?(?:the )?(size|colou?r|shape) of(?= (?:an? |the )?KIND)": r"\1_of",
    r"(KIND) (coloured|colored|colour|color)(?= KIND)": r"\1-\2",
    r"(what|anything|everything|all) but": r"\1_but",
    r"(instead|rather|other|apart|free) (of|than|from)": r"\1_\2",
    r"water melons?": "watermelon",
    r"straw berr(?:y|ies)": "strawberry",
    r"back (?:ground|drop)": "background",
    r"off white": "offwhite",
    r"as well as|together with|along with|accompanied by|followed by": "and",
    r"(?:a |one )?(?:pair|couple) of|a couple|a pair": "two",
    r"an? (?:few|lot of|bowl of|basket of)|lots of|plenty of": "several",
    _SIDE + r"(?: of)? (?:it|them)": r"at_\1",
    _SIDE + r" (?:of|from|to)": r"\1_of",
    _SIDE: r"at_\1",
    r"(?:next to|beside|besides|by|near) (?:it|each other|one another|them)|side by side": "at_beside",
    r"(?:right )?next to|close to|adjacent to|(?:at|by) the side of": "beside",
    r"in front of(?= (?:an? |the )?\w+ background)": "on",
    r"in front of": "in_front_of",
    r"on top of": "on_top_of",
    r"(red|green|yellow|purple|blue|pink|brown) (?:coloured|colored|colour|color) orange": r"\1 orange",
    r"(?:is|are|was|in|coloured|colored|colour|color)(?: all| of| very)? orange(?! (?:and )?KIND\b)": "orange_hue",
    r"orange (?:in )?colou?r(?:ed)?": "orange_hue",
    r"in (?:the )?colou?r(?: of)?|(?:of|in) size": "is",
}
# What stands between two things and was never learned.
PLACES = _words(
    """
    above over under below behind beneath underneath inside outside between atop around across opposite within in on
    in_front_of on_top_of into off touching facing before after vs versus through
    """
)

# Colours by meaning: these are refused, but with the known colour.
MEANING = {
    "red": "crimson scarlet ruby maroon burgundy cherry vermilion cardinal reddish carmine",
    "green": "lime olive emerald mint jade greenish lime-green khaki sage chartreuse verdant",
    "yellow": "gold golden yellowish mustard canary blond blonde lemony",
    "orange": "amber coral peach tangerine apricot orangey orangish copper",
    "purple": "violet lilac mauve lavender plum indigo purplish purply aubergine",
    "blue": "navy azure cyan turquoise teal bluish cobalt aqua aquamarine sapphire ultramarine",
    "pink": "rose salmon fuchsia magenta pinkish rosy",
    "brown": "tan beige chocolate bronze brownish caramel chestnut umber sepia hazel",
    "white": "ivory offwhite snowy whitish",
    "grey": "silver greyish grayish charcoal",
    "black": "ebony blackish",
    "cream": "creamy creme",
}
MEANING = {word: colour for colour, words in MEANING.items() for word in words.split()}
# As the colour of a background, some of them mean another.
MEANING_BEHIND = {"beige": "cream", "tan": "cream", "ivory": "cream"}
# These are also things; where no fruit is named, it is the thing that is meant.
THINGS_TOO = _words("lime olive peach plum rose salmon mint chocolate coral cherry apricot tangerine aubergine sage")
OTHER_FRUIT = _words(
    """
    mango mangos mangoes cherry cherries peach peaches plum plums kiwi kiwis pineapple pineapples papaya papayas melon
    melons lime limes grapefruit grapefruits blueberry blueberries raspberry raspberries blackberry blackberries apricot
    apricots fig figs pomegranate pomegranates coconut coconuts tangerine tangerines mandarin mandarins clementine
    lychee lychees guava guavas durian avocado avocados tomato tomatoes cranberry cranberries nectarine nectarines
    plantain currant currants gooseberry dragonfruit persimmon quince olive olives date dates berry berries
    cantaloupe satsuma raisin raisins
    """
)
# Real words that are spelt nearly as a known one: no misspellings.
NO_MISSPELLING = _words(
    """
    pearl pearls peas peak peach bear while whole write wheat greek greed greet grape block blank brow crown apply ample
    pine ping pint pines range smell shell lager barge blues browse clean crease creak landscape side aside
    beaded flight fight might light night sight eight tight rigid loft lift lefty fried ripen print brawn drawn sable
    """
)

EMOJI = {"🍌": "banana", "🍎": "apple", "🍏": "green apple", "🍉": "watermelon", "🍊": "orange", "🍋": "lemon"}
SIGNS = {"red": "🔴🟥", "green": "🟢🟩", "yellow": "🟡🟨", "orange": "🟠🟧", "purple": "🟣🟪", "blue": "🔵🟦"}
SIGNS |= {"brown": "🟤🟫", "white": "⚪⬜", "black": "⚫⬛", "no": "🚫❌⛔"}
SIGNS = {sign: word for word, signs in SIGNS.items() for sign in signs}
OTHER_EMOJI = {"🥭": "mango", "🍒": "cherries", "🥝": "kiwi", "🍅": "tomato", "🍑": "peach", "🍍": "pineapple"}
OTHER_EMOJI |= {"🥥": "coconut", "🫐": "blueberries", "🍈": "melon", "🥑": "avocado", "🫒": "olive"}
EMOJI |= {"🍐": "pear", "🍓": "strawberry", "🍇": "grapes"}

# Other languages: English, and what is said for it; "" are words that say nothing. A phrase may be several words.
LANGUAGES = {
    "Vietnamese": {
        "apple": "táo",
        "banana": "chuối",
        "watermelon": "dưa hấu,dưa",
        "orange": "cam",
        "lemon": "chanh",
        "pear": "lê",
        "strawberry": "dâu tây,dâu",
        "grapes": "nho",
        "red": "đỏ",
        "green": "xanh lá cây,xanh lá,xanh lục,xanh",
        "yellow": "vàng",
        "purple": "tím",
        "blue": "xanh dương,xanh da trời,xanh lam,xanh nước biển,xanh biển",
        "pink": "hồng",
        "brown": "nâu",
        "white": "trắng",
        "black": "đen",
        "grey": "xám",
        "cream": "kem",
        "large": "lớn,to",
        "small": "nhỏ,bé",
        "fruit": "trái cây,hoa quả",
        "and": "và",
        "on": "trên",
        "background": "nền",
        "beside": "bên cạnh,cạnh",
        "not": "không,chẳng,đừng",
        "three": "ba",
        "two": "hai",
        "a": "một",
        "": "quả,trái,màu,chùm,nải,củ,cái,con,vẽ,hãy,một bức,ảnh,tranh,cho,tôi,có,của,được,là",
    },
    "French": {
        "apple": "pomme,pommes",
        "banana": "banane,bananes",
        "watermelon": "pastèque,pastèques,melon d'eau",
        "orange": "orange,oranges",
        "lemon": "citron,citrons",
        "pear": "poire,poires",
        "strawberry": "fraise,fraises",
        "grapes": "raisin,raisins,grappe de raisin,grappe de raisins",
        "red": "rouge,rouges",
        "green": "vert,verte,verts,vertes",
        "yellow": "jaune,jaunes",
        "purple": "violet,violette,violets,violettes,pourpre",
        "blue": "bleu,bleue,bleus,bleues",
        "pink": "rose,roses",
        "brown": "brun,brune,bruns,brunes,marron",
        "white": "blanc,blanche",
        "black": "noir,noire",
        "grey": "gris,grise",
        "cream": "crème",
        "large": "grand,grande,gros,grosse,énorme",
        "small": "petit,petite,petits,petites",
        "fruit": "fruit,fruits",
        "and": "et,avec",
        "on": "sur",
        "background": "fond",
        "beside": "à côté de,à côté d",
        "not": "pas,sans,non,aucun,aucune",
        "three": "trois",
        "two": "deux",
        "a": "un,une",
        "": "le,la,les,des,du,de,d,l,dessine,dessinez,moi,s'il,te,plaît,vous,une image,photo,qui,est,couleur",
    },
    "German": {
        "apple": "apfel,äpfel",
        "banana": "banane,bananen",
        "watermelon": "wassermelone,wassermelonen",
        "orange": "orange,orangen,apfelsine,apfelsinen,orangene,orangener,orangefarbene,orangefarbener",
        "lemon": "zitrone,zitronen",
        "pear": "birne,birnen",
        "strawberry": "erdbeere,erdbeeren",
        "grapes": "traube,trauben,weintraube,weintrauben",
        "red": "rot,rote,roter,rotes,roten",
        "green": "grün,grüne,grüner,grünes,grünen",
        "yellow": "gelb,gelbe,gelber,gelbes,gelben",
        "purple": "lila,violett,violette,violetter,violetten",
        "blue": "blau,blaue,blauer,blaues,blauen",
        "pink": "rosa,pinke,pinker",
        "brown": "braun,braune,brauner,braunes,braunen",
        "white": "weiss,weissem,weissen",
        "black": "schwarz,schwarzem,schwarzen",
        "grey": "grau,grauem,grauen",
        "cream": "creme",
        "large": "gross,grosse,grosser,grosses,grossen",
        "small": "klein,kleine,kleiner,kleines,kleinen",
        "fruit": "frucht,obst",
        "and": "und,mit",
        "on": "auf,vor",
        "background": "hintergrund,grund",
        "beside": "neben",
        "not": "nicht,kein,keine,keinen,ohne",
        "three": "drei",
        "two": "zwei",
        "a": "ein,eine,einen,einer,einem",
        "": "der,die,das,den,dem,bitte,zeichne,mal,male,mir,zeig,bild,von,ist",
    },
    "Spanish": {
        "apple": "manzana,manzanas",
        "banana": "plátano,plátanos,banano,banana,bananas",
        "watermelon": "sandía,sandías",
        "orange": "naranja,naranjas,anaranjado,anaranjada",
        "lemon": "limón,limones",
        "pear": "pera,peras",
        "strawberry": "fresa,fresas,frutilla,frutillas",
        "grapes": "uva,uvas",
        "red": "rojo,roja,rojos,rojas",
        "green": "verde,verdes",
        "yellow": "amarillo,amarilla,amarillos,amarillas",
        "purple": "morado,morada,morados,moradas,púrpura,violeta",
        "blue": "azul,azules",
        "pink": "rosa,rosado,rosada,rosas",
        "brown": "marrón,marrones,café,pardo",
        "white": "blanco,blanca",
        "black": "negro,negra",
        "grey": "gris",
        "cream": "crema",
        "large": "grande,grandes,gran",
        "small": "pequeño,pequeña,pequeños,pequeñas",
        "fruit": "fruta,frutas",
        "and": "y,con",
        "on": "sobre,en",
        "background": "fondo",
        "beside": "al lado de,junto a",
        "not": "sin,ningún,ninguna",
        "three": "tres",
        "two": "dos",
        "a": "un,una",
        "": "el,la,los,las,unos,unas,de,del,dibuja,dibújame,por,favor,imagen,que,es,color,racimo",
    },
    "Chinese": {
        "apple": "苹果,蘋果",
        "banana": "香蕉",
        "watermelon": "西瓜",
        "orange": "橙子,橙,橘子,橘,桔子",
        "lemon": "柠檬,檸檬",
        "pear": "梨子,梨",
        "strawberry": "草莓",
        "grapes": "葡萄",
        "red": "红色,红,紅色,紅",
        "green": "绿色,绿,綠色,綠",
        "yellow": "黄色,黄,黃色,黃",
        "purple": "紫色,紫",
        "blue": "蓝色,蓝,藍色,藍",
        "pink": "粉红色,粉红,粉色,粉",
        "brown": "棕色,棕,褐色,褐,咖啡色",
        "white": "白色,白",
        "black": "黑色,黑",
        "grey": "灰色,灰",
        "large": "大的,大",
        "small": "小的,小",
        "fruit": "水果",
        "and": "和,与,跟",
        "on": "在",
        "background": "背景",
        "not": "不要,不是,没有,不",
        "three": "三",
        "two": "两,兩,二",
        "": "的,色,一,个,個,只,根,颗,串,张,图,图片,画,請,请,我,给,上,中,幅,条,片,一个",
    },
}
